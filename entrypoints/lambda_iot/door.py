"""What the routes of this contract need, and who is asking."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from litestar import Request
from litestar.connection import ASGIConnection

from adapters.security.tokens import Claims, InvalidTokenError, Tokens
from application.devices.dispatch import Dispatcher
from application.executor import CommandExecutor
from application.ports import Passwords
from domain.event import Origin
from entrypoints.bearers import Bearers, NoTokenError
from entrypoints.correlation import correlation_id
from entrypoints.lambda_iot.errors import INVALID_CREDENTIALS, NO_CLAIMS, UnauthorizedError
from entrypoints.logins import Logins
from projections.devices.commands import CommandQueries
from projections.devices.directory import Directory
from projections.devices.messages import MessageQueries
from projections.devices.reading_queries import ReadingQueries
from projections.positions import Positions

if TYPE_CHECKING:
    from entrypoints.lambda_iot.locks import Locks

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True)
class Door:
    """Everything behind this contract's routes."""

    executor: CommandExecutor
    passwords: Passwords
    tokens: Tokens
    positions: Positions
    directory: Directory
    readings: ReadingQueries
    dispatcher: Dispatcher
    mqtt_topic: str
    commands: CommandQueries
    messages: MessageQueries
    bearers: Bearers
    locks: "Locks"
    logins: Logins
    stopping: asyncio.Event


def door_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Door:
    return cast("Door", connection.app.state["lambda_iot"])


async def require_token(request: AnyRequest) -> None:
    """Before every protected route: `Authorization: Bearer <token>`, signed by us, of an account in force.

    Not a guard of Litestar's, which copies the route's handler for every request: a twelfth of the time it takes.
    """
    request.scope["state"]["claims"] = await claims_in(request)


async def claims_in(connection: ASGIConnection[Any, Any, Any, Any]) -> Claims:
    """What the request's token says. Raises UnauthorizedError."""
    try:
        return await door_of(connection).bearers.claims(connection.headers.get("authorization"))
    except NoTokenError:
        raise UnauthorizedError(NO_CLAIMS) from None
    except InvalidTokenError:
        raise UnauthorizedError(INVALID_CREDENTIALS) from None


def claims_of(request: AnyRequest) -> Claims:
    return cast("Claims", request.scope["state"]["claims"])


def origin_of(request: AnyRequest) -> Origin:
    """Who asks, over HTTP, in which conversation."""
    return Origin(actor=f"user:{claims_of(request).user_id}", source="http", correlation_id=correlation_id())
