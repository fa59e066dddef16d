"""What streams need in an API process, put together from settings."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import LogRow, PostgresLogReader
from adapters.eventstore.shown import shown
from adapters.streams.arrivals import LogArrivals
from adapters.streams.sessions import PostgresSessions
from application.executor import CommandExecutor
from application.streams.polling import Poller
from application.streams.sessions import Sessions
from domain.catalogue import CATALOGUE
from entrypoints.running import running_beside
from entrypoints.settings import Settings
from projections.database import Database
from projections.streams.messages import MessageQueries


@dataclass(frozen=True)
class Streaming:
    """The parts that consumers share."""

    messages: MessageQueries
    arrivals: LogArrivals
    sessions: Sessions
    poller: Poller


@asynccontextmanager
async def streaming(settings: Settings, executor: CommandExecutor, database: Database) -> AsyncIterator[Streaming]:
    mapper = Mapper(CATALOGUE)

    def shown_in_topics(position: int, stream: UUID, version: int, topic: str, state: bytes) -> tuple[datetime, bytes]:
        return shown(LogRow(position, stream, version, topic, state), mapper)

    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(PostgresSessions(settings.database_url))
        reader = await stack.enter_async_context(PostgresLogReader(settings.database_url, mapper))
        messages = MessageQueries(database, shown_in_topics)
        arrivals = LogArrivals(reader)
        sessions = Sessions(executor, store, settings.consumer_read_timeout_ms / 1000)
        await stack.enter_async_context(
            running_beside({"arrivals of messages": arrivals.run, "sessions of consumers": sessions.run})
        )
        yield Streaming(
            messages=messages,
            arrivals=arrivals,
            sessions=sessions,
            poller=Poller(executor, messages, arrivals, sessions, settings.max_poll_size),
        )
