"""What the routes of this contract need, and who is asking."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapters.analytics.query import Queries
from adapters.analytics.replay import Replay, Selection
from entrypoints.bearers import Bearers
from entrypoints.exchange import Exchange

READ_ANALYTICS = "analytics.read"


@dataclass(frozen=True)
class Door:
    """Everything behind this contract's routes. `replay` is of the part of history that it is given."""

    queries: Queries
    replay: Callable[[Selection], Replay]
    bearers: Bearers
    clock: Callable[[], datetime]


async def let_in(door: Door, exchange: Exchange) -> None:
    """The log tells of everybody, so nobody reads it without the scope, wherever this runs. Raises NoTokenError,
    InvalidTokenError, ForbiddenError, and LogUnavailableError when nobody knows whose account is disabled."""
    await door.bearers.claims_for("Analytics", READ_ANALYTICS, exchange.header(b"authorization"))
