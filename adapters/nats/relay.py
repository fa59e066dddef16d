"""The relay: copies the log into the JetStream stream EVENTS, event by event, in the order of positions.

Positions have no gaps, so the sequence of a message in the stream equals the position of its event in the log. The
stream's last sequence is therefore the relay's checkpoint, and there is no other: whatever happened to either side,
it looks how far the stream is and goes on from there. Measured on two cores, PostgreSQL and NATS on the same: see
docs/adr/0008-nats-is-a-copy.md.
"""

from time import monotonic
from typing import Protocol

import msgspec
from nats.aio.client import Client

from adapters.eventstore.lease import Lease
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import LogRow, PostgresLogReader
from adapters.nats.connection import NatsConnection
from adapters.nats.copier import CannotGoOnError, Copier, stop_if_cancelled
from adapters.nats.messages import Message, message, source_of
from adapters.nats.publisher import OutOfStepError, Publisher
from adapters.nats.stream import EventStream, StreamLimits
from domain.catalogue import UnknownTopicError

BATCH = 1_000

# How often, when nothing happens, the relay looks whether the stream is still as it left it.
LOOK_SECONDS = 5.0


class RelayObserver(Protocol):
    """Is told how the copy proceeds."""

    def relayed(self, events: int, position: int, lag: int) -> None:
        """`events` more are in the stream, which is at `position` now, `lag` behind the log."""


class UnreadableEventError(CannotGoOnError):
    """The log holds an event that this version does not know, so it cannot tell what may be published of it."""


class EventRelay:
    """Copies for ever: `await relay.run()` in a task, cancelled to stop.

    Of several relays on one log the holder of the lease works, the others wait to take over. Two that work at once,
    because one does not know yet that it lost the lease, do no harm: the stream takes each position once.
    """

    def __init__(
        self,
        connection: NatsConnection,
        reader: PostgresLogReader,
        mapper: Mapper,
        lease: Lease,
        limits: StreamLimits = StreamLimits(),  # noqa: B008  # frozen
        observer: RelayObserver | None = None,
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._mapper = mapper
        self._copier = Copier(connection, lease)
        self._limits = limits
        self._observer = observer
        self._looked_at = 0.0
        self.position = 0
        self.head = 0

    @property
    def lag(self) -> int:
        """How many events of the log are not in the stream yet, as far as this relay knows."""
        return max(0, self.head - self.position)

    @property
    def connected(self) -> bool:
        return self._connection.connected

    @property
    def working(self) -> bool:
        return self._copier.working

    async def run(self) -> None:
        try:
            await self._copier.run(self._copy, self._look_and_tell)
        finally:
            await self._reader.close()

    async def _look_and_tell(self) -> None:
        await self._look_at_head()
        self._tell(0)

    async def _copy(self, client: Client) -> None:
        stream = EventStream(client, self._reader, self._mapper, self._limits)
        identity = await self._reader.identity()
        read = self.position = await stream.open(identity)
        source = source_of(identity)
        async with Publisher(client, read) as publisher:
            quiet_since = monotonic()
            while True:
                stop_if_cancelled()
                if monotonic() - self._looked_at > 1.0:
                    await self._look_at_head()
                rows = await self._reader.read_rows(read, BATCH)
                if rows:
                    await self._publish(publisher, rows, source, client.max_payload)
                    read = rows[-1].position
                    self.head = max(self.head, read)
                if len(rows) < BATCH:
                    await publisher.settle()
                    self._advance(publisher.stored)
                    await self._reader.wait(1.0)
                    if rows:
                        quiet_since = monotonic()
                    elif monotonic() - quiet_since > LOOK_SECONDS:
                        quiet_since = monotonic()
                        if (last := await stream.last_position()) != read:
                            raise OutOfStepError(f"it is at {last}, expected {read}")
                else:
                    self._advance(publisher.stored)

    async def _publish(self, publisher: Publisher, rows: list[LogRow], source: str, largest: int) -> None:
        messages: list[Message] = []
        unreadable: UnreadableEventError | None = None
        for row in rows:
            try:
                messages.append(message(row, self._mapper, source, largest))
            except (UnknownTopicError, msgspec.MsgspecError) as reason:
                unreadable = UnreadableEventError(f"the event at position {row.position} cannot be read: {reason}")
                break
        # What precedes an unreadable event is published all the same. Nothing of a batch is sent before all of it
        # is made, so that the last message can ask for an acknowledgement.
        for row, made in zip(rows, messages, strict=False):
            await publisher.publish(row.position, made, last=row.position - rows[0].position == len(messages) - 1)
        if unreadable is not None:
            await publisher.settle()
            self._advance(publisher.stored)
            raise unreadable

    async def _look_at_head(self) -> None:
        self.head = await self._reader.head()
        self._looked_at = monotonic()

    def _advance(self, position: int) -> None:
        events, self.position = position - self.position, position
        self._tell(events)

    def _tell(self, events: int) -> None:
        if self._observer is not None:
            self._observer.relayed(events, self.position, self.lag)
