"""The relay: copies the log into the JetStream stream EVENTS, event by event, in the order of positions.

Positions have no gaps, so the sequence of a message in the stream equals the position of its event in the log. The
stream's last sequence is therefore the relay's checkpoint, and there is no other: whatever happened to either side,
it looks how far the stream is and goes on from there. Measured on two cores, PostgreSQL and NATS on the same: see
docs/adr/0008-nats-is-a-copy.md.
"""

import asyncio
import logging
import random
from time import monotonic
from typing import Protocol

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from adapters.eventstore.lease import Lease, LeaseLostError
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import LogRow, PostgresLogReader
from adapters.nats.connection import NatsConnection
from adapters.nats.messages import Message, message, source_of
from adapters.nats.publisher import OutOfStepError, Publisher
from adapters.nats.stream import EventStream, StreamLimits
from application.ports import LogUnavailableError
from domain.catalogue import UnknownTopicError

BATCH = 1_000

# How often, when nothing happens, the relay looks whether the stream is still as it left it.
LOOK_SECONDS = 5.0

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

log = logging.getLogger("tidemark.nats")


class RelayObserver(Protocol):
    """Is told how the copy proceeds."""

    def relayed(self, events: int, position: int, lag: int) -> None:
        """`events` more are in the stream, which is at `position` now, `lag` behind the log."""


class UnreadableEventError(Exception):
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
        self._lease = lease
        self._limits = limits
        self._observer = observer
        self._looked_at = 0.0
        self.working = False
        self.position = 0
        self.head = 0

    @property
    def lag(self) -> int:
        """How many events of the log are not in the stream yet, as far as this relay knows."""
        return max(0, self.head - self.position)

    @property
    def connected(self) -> bool:
        return self._connection.connected

    async def run(self) -> None:
        said = ""
        while True:
            try:
                async with self._lease.held():
                    self.working = True
                    log.info("the relay works in this process")
                    await self._work()
            except LeaseLostError:
                pass  # said by the lease; wait for it again
            except UnreadableEventError as unreadable:
                # Letting go of the lease lets a newer process continue, which happens in every rolling update.
                if str(unreadable) != said:
                    log.error("%s. A newer version of Tidemark must relay it; this one tries on.", unreadable)
                said = str(unreadable)
                await asyncio.sleep(LONGEST_PAUSE)
            finally:
                self.working = False
                await self._reader.close()

    async def _work(self) -> None:
        """Copies until the lease is lost, beginning again after every trouble."""
        pause = FIRST_PAUSE
        while True:
            _stop_if_cancelled()
            started = monotonic()
            try:
                await self._copy(await self._client())
            except OutOfStepError as reason:
                log.warning("the stream and the relay disagree (%s), looking again", reason)
            except (NatsError, OSError, TimeoutError) as error:
                if self._connection.connected:  # else the connection has said so
                    log.warning("the relay was interrupted (%s: %s), going on", type(error).__name__, error)
            except LogUnavailableError:
                pass  # the lease goes with the database, and says so
            if monotonic() - started > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _client(self) -> Client:
        """The connection to NATS, waited for while the lag is kept up to date."""
        while True:
            try:
                async with asyncio.timeout(1.0):
                    return await self._connection.client()
            except TimeoutError:
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
                _stop_if_cancelled()
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


def _stop_if_cancelled() -> None:
    """Both nats-py and psycopg can swallow a cancellation that comes in an unlucky moment; it is obeyed here."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
