"""What the routes of this contract need, and who is asking."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from adapters.security.tokens import InvalidTokenError, Tokens
from application.executor import CommandExecutor
from domain.event import Origin
from entrypoints.bearers import LockedOut, NoTokenError, token_in
from entrypoints.correlation import correlation_id
from entrypoints.logins import Logins
from entrypoints.metric_reporting.exchange import MetricExchange
from projections.devices.directory import DeviceDirectory, Directory
from projections.metrics.current import CurrentMetricQueries
from projections.metrics.history_queries import MetricHistoryQueries
from projections.positions import Freshness, Positions

COOKIE = "jwt"

# Of whoever shows a token that names nobody.
NOBODY = "token"
LONGEST_SUBJECT = 100


class ReportObserver(Protocol):
    """Is told what becomes of reports that come many in a request. `form` is bulk, remote_write or line_protocol,
    `outcome` recorded, unknown_device, or why it was left out."""

    def reported(self, form: str, outcome: str, count: int) -> None: ...


@dataclass(frozen=True)
class Door:
    """Everything behind this contract's routes. In `development` whoever asks is given a token."""

    executor: CommandExecutor
    tokens: Tokens
    locked_out: LockedOut
    logins: Logins
    directory: Directory
    positions: Positions
    current: CurrentMetricQueries
    history: MetricHistoryQueries
    read_auth: Literal["open", "token"]
    development: bool
    clock: Callable[[], datetime]
    observer: ReportObserver

    async def see(self, model: str) -> Freshness:
        """Waits until the read model, and the names of devices with it, are as new as the log is now."""
        seen, _ = await asyncio.gather(self.positions.fresh(model), self.positions.fresh(DeviceDirectory.name))
        return seen


async def require_token(door: Door, exchange: MetricExchange) -> None:
    """Any token that is signed with our secret will do (contract 1.2), unless it is of an account that was disabled.

    Raises NoTokenError, InvalidTokenError, and LogUnavailableError when nobody knows which accounts are disabled."""
    token = token_in(exchange.header(b"authorization")) or _cookie(exchange.header(b"cookie"))
    if not token:
        raise NoTokenError
    shown = door.tokens.verify_pass(token)
    if shown.user_id is not None and await door.locked_out.has(shown.user_id):
        raise InvalidTokenError("the account is disabled")
    exchange.shown = shown


def origin_of(exchange: MetricExchange) -> Origin:
    """Who reports, over HTTP, in which conversation."""
    shown = exchange.shown
    actor = NOBODY
    if shown is not None and shown.user_id is not None:
        actor = f"user:{shown.user_id}"
    elif shown is not None and shown.sub is not None and shown.sub.isprintable() and len(shown.sub) <= LONGEST_SUBJECT:
        actor = f"token:{shown.sub}"
    return Origin(actor=actor, source="http", correlation_id=correlation_id())


def _cookie(header: str | None) -> str | None:
    for pair in (header or "").split(";"):
        name, _, value = pair.partition("=")
        if name.strip() == COOKIE:
            return value.strip().strip('"')
    return None
