"""One log with its NATS, as the tests of the relay and of the live feed use it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.eventstore.lease import Lease
from adapters.eventstore.log import PostgresEventLog
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from adapters.nats.connection import NatsConnection
from adapters.nats.relay import EventRelay
from adapters.nats.stream import StreamLimits
from application.ports import NewEvent
from domain.catalogue import CATALOGUE
from domain.devices.device import DeviceConnected
from domain.event import Envelope, Event

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
PATIENCE = 60.0


class Progress:
    """The relay's observer: lets a test wait for a position instead of looking again and again."""

    def __init__(self) -> None:
        self.position = 0
        self.lag = 0
        self.published = 0
        self._told = asyncio.Condition()
        self._telling: set[asyncio.Task[None]] = set()

    def relayed(self, events: int, position: int, lag: int) -> None:
        self.position, self.lag = position, lag
        self.published += max(0, events)
        task = asyncio.ensure_future(self._tell())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self) -> None:
        async with self._told:
            self._told.notify_all()

    async def reached(self, position: int) -> None:
        async with asyncio.timeout(PATIENCE), self._told:
            await self._told.wait_for(lambda: self.position >= position)

    async def lagged(self, events: int) -> None:
        async with asyncio.timeout(PATIENCE), self._told:
            await self._told.wait_for(lambda: self.lag >= events)


@dataclass
class Installation:
    """A migrated, empty log in `url`, and a NATS server."""

    url: str
    nats: EmbeddedNats
    postgres: EmbeddedPostgres
    mapper: Mapper = field(default_factory=lambda: Mapper(CATALOGUE))

    async def append(
        self,
        events: int | Sequence[Event],
        aggregate_id: UUID | None = None,
        first_version: int = 1,
        correlation_id: str = "c-1",
        causation_id: str | None = None,
    ) -> int:
        """Records the events, or so many of any kind, and returns the position of the last."""
        facts = [DeviceConnected(through=f"road {n}") for n in range(events)] if isinstance(events, int) else events
        aggregate = aggregate_id or uuid4()
        async with PostgresEventLog(self.url, self.mapper) as log:
            appended = await log.append(
                [
                    NewEvent(
                        aggregate,
                        version,
                        fact,
                        Envelope(
                            id=uuid4(),
                            at=AT,
                            actor="user:ä 1",
                            source="http",
                            correlation_id=correlation_id,
                            causation_id=causation_id,
                        ),
                    )
                    for version, fact in enumerate(facts, first_version)
                ],
                await log.head(),
                (),
            )
        return appended.head

    def reader(self) -> PostgresLogReader:
        return PostgresLogReader(self.url, self.mapper)

    @asynccontextmanager
    async def relaying(
        self, lease: str = "relay", limits: StreamLimits | None = None
    ) -> AsyncIterator[tuple[EventRelay, Progress]]:
        """A relay at work."""
        progress = Progress()
        async with NatsConnection(self.nats.url, "test relay") as connection:
            relay = EventRelay(
                connection,
                self.reader(),
                self.mapper,
                Lease(self.url, lease),
                limits or StreamLimits(),
                progress,
            )
            running = asyncio.create_task(relay.run())
            try:
                yield relay, progress
            finally:
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running

    async def relay_all(self) -> None:
        """Brings the stream up to the log."""
        async with self.relaying() as (_, progress):
            await progress.reached(await self.head())

    async def head(self) -> int:
        reader = self.reader()
        try:
            return await reader.head()
        finally:
            await reader.close()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        client = await nats.connect(self.nats.url)
        try:
            yield client
        finally:
            await client.close()

    async def stream(self) -> list[Msg]:
        """Every message that is in the stream, in its order."""
        async with self.client() as client:
            stream = client.jetstream()
            count = (await stream.stream_info("EVENTS")).state.messages
            subscription = await stream.subscribe("tidemark.events.>", ordered_consumer=True)
            return [await subscription.next_msg(timeout=10) for _ in range(count)]

    async def positions(self) -> list[int]:
        return [int((message.headers or {})["ce-sequence"]) for message in await self.stream()]

    async def expected_ids(self) -> list[str]:
        """The ids of all events of the log, in its order."""
        reader = self.reader()
        try:
            return [str(self.mapper.stored(row.state).id) for row in await reader.read_rows(0, 1_000_000)]
        finally:
            await reader.close()

    async def assert_copied(self) -> None:
        """The stream holds exactly the log: no gap, no duplicate, the same order, sequence = position."""
        messages = await self.stream()
        assert [(message.headers or {})["ce-id"] for message in messages] == await self.expected_ids()
        assert [message.metadata.sequence.stream for message in messages] == list(range(1, len(messages) + 1))
