"""What the routes of this contract need, and who is asking."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

from application.executor import CommandExecutor
from application.streams.deliveries import Deliveries
from application.streams.messages import Arrivals, MessageLog
from application.streams.polling import Poller
from application.streams.sessions import Sessions
from domain.event import Origin
from domain.streams.consumer import ANYBODY
from domain.streams.placement import RANGES
from domain.streams.topic import is_log
from entrypoints.bearers import AUDIT_READ, Bearers, NoTokenError, require_scope
from entrypoints.correlation import correlation_id
from entrypoints.streams.exchange import StreamsExchange
from entrypoints.streams.room import Room
from projections.positions import Positions
from projections.streams.groups import GroupQueries
from projections.streams.places import PlaceQueries
from projections.streams.topics import TopicQueries

TAKEN_IN = 32 * 1024 * 1024


@dataclass(frozen=True)
class Ports:
    """Where the listeners of this contract are."""

    main: int
    discovery: int
    producer: int
    consumer: int


@dataclass(frozen=True)
class Door:
    """Everything behind this contract's routes. `head` is the end of the log now, `is_ready` whether it can be reached;
    `largest` is how many bytes one request may have."""

    executor: CommandExecutor
    poller: Poller
    messages: MessageLog
    arrivals: Arrivals
    sessions: Sessions
    deliveries: Deliveries
    topics: TopicQueries
    groups: GroupQueries
    places: PlaceQueries
    positions: Positions
    bearers: Bearers
    auth: Literal["open", "token"]
    head: Callable[[], Awaitable[int]]
    is_ready: Callable[[], Awaitable[bool]]
    ports: Ports
    largest: int
    stopping: asyncio.Event
    room: Room = field(default_factory=lambda: Room(TAKEN_IN))
    # The first message without a key goes to the second partition, and so on in turns, whatever its topic.
    _turns: "count[int]" = field(default_factory=lambda: count(1))

    def next_partition(self) -> int:
        return next(self._turns) % RANGES


async def let_in(door: Door, exchange: StreamsExchange) -> None:
    """Raises NoTokenError, InvalidTokenError, or LogUnavailableError when nobody knows whose account is disabled."""
    exchange.claims = await door.bearers.claims_at(door.auth, exchange.header(b"authorization"))


def require_readable(exchange: StreamsExchange, topics: Collection[str]) -> None:
    """Topics that hold the log need the scope, wherever the door stands. Raises NoTokenError and ForbiddenError."""
    if any(is_log(name) for name in topics):
        if exchange.claims is None:
            raise NoTokenError
        require_scope(exchange.claims, "Reading the log", AUDIT_READ)


def origin_of(exchange: StreamsExchange) -> Origin:
    """Who asks, over HTTP, in which conversation."""
    actor = f"user:{exchange.claims.user_id}" if exchange.claims else ANYBODY
    return Origin(actor=actor, source="http", correlation_id=correlation_id())
