"""What the application needs from outside, as it needs it. Adapters and fakes are named like the port they fill."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol
from uuid import UUID

from domain.decider import Decider
from domain.event import Envelope, Event, Recorded
from domain.value import State


class Ref(NamedTuple):
    """Names one aggregate: how it is rebuilt, and which one."""

    decider: Decider[Any]
    id: UUID


class Loaded(NamedTuple):
    """An aggregate as the log has it. `state` is None and `version` 0 when nothing was ever recorded of it."""

    decider: Decider[Any]
    state: State | None
    version: int
    snapshot_version: int = 0


class NewEvent(NamedTuple):
    """An event about to be appended as the given version of its aggregate (the first is 1)."""

    aggregate_id: UUID
    version: int
    event: Event
    envelope: Envelope


class Appended(NamedTuple):
    """`first` is the position of the first new event, the others follow without a gap; `changed` are the
    aggregates that other processes wrote since the position that was given; `head` is the end of the log now."""

    first: int
    head: int
    changed: Collection[UUID] | None


class StaleError(Exception):
    """Others have written an aggregate that the decisions looked at. Nothing was appended; decide again.

    `changed` is None when too much happened to name it all: everything known may be stale.
    """

    def __init__(self, head: int, changed: Collection[UUID] | None) -> None:
        super().__init__(f"aggregates changed before position {head}")
        self.head = head
        self.changed = changed


class LogUnavailableError(Exception):
    """The log cannot be reached. Nothing was acknowledged; trying again later is right."""


class EventLog(Protocol):
    """The only truth. Every call may raise LogUnavailableError."""

    async def load(self, refs: Sequence[Ref]) -> Mapping[UUID, Loaded]:
        """Aggregates by snapshot and events, all in as few round trips as there are ways to load."""

    async def append(self, events: Sequence[NewEvent], after: int, looked_at: Collection[UUID]) -> Appended:
        """Commits all events in one transaction, synced to disk, provided that no aggregate of `looked_at` was
        written after the position `after`; else raises StaleError. Without events it only checks.

        Ends when it is known what became of them, however long that takes: after an error nothing was appended."""

    def turn(self) -> AbstractAsyncContextManager["EventLog"]:
        """The log for one who was too slow too often: until it is left, nobody else's append goes through."""

    async def head(self) -> int:
        """The position of the newest event, 0 in an empty log."""

    async def snapshot(self, aggregates: Mapping[UUID, Loaded]) -> None:
        """Keeps states so that later loads start from them. Losing one costs only time."""


class Cause(NamedTuple):
    """What an event says of where it comes from (its Origin)."""

    causation_id: str | None
    correlation_id: str


class CauseLog(Protocol):
    """Remembers what recent events were caused by, so that a message delivered again can be recognised."""

    async def recent_causes(self, streams: Mapping[UUID, int]) -> Mapping[UUID, Sequence[Cause]]:
        """Of the last so many events of each aggregate, oldest first. May raise LogUnavailableError."""


class LogReader(Protocol):
    """Follows the log in position order. Every call may raise LogUnavailableError."""

    async def read(self, after: int, limit: int) -> Sequence[Recorded]:
        """The events after the position, at most `limit`, and fewer when they are large. Positions have no gaps."""

    async def head(self) -> int: ...

    async def wait(self, timeout: float) -> None:
        """Returns when the log has grown since the last call, at the latest after `timeout` seconds; at once when the
        last read left something for the next."""


class BehindError(Exception):
    """The live feed cannot go on after the position that was asked for; the log can, and the feed later again."""


class LiveEvents(Protocol):
    """Events pushed as they happen, for those who are at the end of the log.

    It never replaces reading the log: whoever follows it looks at the log too when nothing comes for a while, and
    reads it (waiting with `LogReader.wait`) for as long as BehindError is raised.
    """

    async def fetch(self, after: int, limit: int, timeout: float) -> Sequence[Recorded]:
        """The events that follow the position without a gap, at most `limit`; none when none came in `timeout`
        seconds. Asking for what follows a position says that everything up to it was processed for good.

        Raises BehindError at once when the next events are too many, not complete, or cannot be had.
        """


class Clock(Protocol):
    def __call__(self) -> datetime:
        """Now, in UTC. The one place where the present enters decisions."""


class NotPublishedError(Exception):
    """Devices cannot be reached now. The message was not sent, or nobody knows; in no case is it sent later."""


class DevicePublisher(Protocol):
    """Tells devices something, from whichever process."""

    async def publish(self, payload: bytes) -> None:
        """Returns when the devices' broker has taken the message for the topic that all devices hear. Raises
        NotPublishedError, within some three seconds, and then the message is not published afterwards."""


class Road(NamedTuple):
    """Where a connected device can be reached: over which kind of connection, which one of it, and which process holds
    it. `holder` is empty for MQTT, where whichever gateway is connected to the broker reaches every device."""

    through: Literal["websocket", "mqtt"]
    holder: str
    connection_id: UUID


class Question(NamedTuple):
    """A command or a query on its way to a device."""

    id: UUID
    kind: Literal["command", "query"]
    payload: str


class Traffic(NamedTuple):
    """What went over one connection since it was opened. Times are Unix seconds, 0 for never."""

    connection_id: UUID
    received: int
    sent: int
    last_received: int
    last_sent: int


class Totals(NamedTuple):
    """What went over all connections that one process holds or held, and what it waits for now. The rates are whole
    messages per second, over the whole life of the process."""

    received: int = 0
    sent: int = 0
    received_per_second: int = 0
    sent_per_second: int = 0
    commands_waiting: int = 0
    queries_waiting: int = 0


class NotConnectedError(Exception):
    """The device is not connected, or the process that held its connection is gone. Nothing was sent."""


class DeviceLostError(Exception):
    """The device's connection ended before it answered. It may have heard the question."""


class DeviceSilentError(Exception):
    """The device did not answer in time."""


class DeviceLine(Protocol):
    """The line to connected devices, whichever process holds their connections."""

    async def ask(self, road: Road, question: Question, timeout: float) -> str:
        """The device's answer. Raises NotConnectedError, DeviceLostError, DeviceSilentError after `timeout` seconds, or
        NotPublishedError when the way to the device is interrupted and nothing was sent."""

    async def traffic(self, roads: Collection[Road]) -> Mapping[UUID, Traffic]:
        """Of those connections whose processes answer within a second, by the connection's id."""


class Holder(Protocol):
    """A process that holds connections of devices."""

    async def ask(self, connection_id: UUID, question: Question, timeout: float) -> str:
        """As DeviceLine."""

    def traffic(self, connection_ids: Collection[UUID]) -> Sequence[Traffic]:
        """Of those of them that it holds."""

    def close(self, connection_id: UUID, code: int, reason: str) -> None:
        """Ends a connection that another one has replaced. What it does not hold it passes over."""


class Passwords(Protocol):
    """Hashes and checks passwords. Slow on purpose, hence asynchronous."""

    async def hash(self, password: str) -> str: ...

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Takes as long for no account (`None`) as for a wrong password."""

    def is_outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with weaker parameters than today's."""
