"""What streams need in either process, put together from settings."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from adapters.eventstore.lease import Lease, LeaseLostError
from adapters.eventstore.reader import PostgresLogReader
from adapters.streams.arrivals import LogArrivals
from adapters.streams.sessions import PostgresSessions
from adapters.streams.values import LogValues
from application.executor import CommandConflictError, CommandExecutor, Overloaded
from application.ports import Clock, LogUnavailableError
from application.streams.deliveries import Deliveries
from application.streams.polling import Poller
from application.streams.retention import Retaining
from application.streams.sessions import Sessions
from entrypoints.running import running_beside
from entrypoints.settings import Settings
from entrypoints.showing import MAPPER, shown_event
from projections.database import Database
from projections.positions import Positions
from projections.streams.messages import MessageQueries
from projections.streams.retained import RetainedTopicQueries
from projections.streams.topics import TopicQueries

logger = logging.getLogger("tidemark.streams")

RETENTION_SECONDS = 60.0


@dataclass(frozen=True)
class Streaming:
    """The parts that consumers share."""

    messages: MessageQueries
    arrivals: LogArrivals
    sessions: Sessions
    deliveries: Deliveries
    poller: Poller


@asynccontextmanager
async def streaming(settings: Settings, executor: CommandExecutor, database: Database) -> AsyncIterator[Streaming]:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(PostgresSessions(settings.database_url))
        reader = await stack.enter_async_context(PostgresLogReader(settings.database_url, MAPPER))
        messages = MessageQueries(database, shown_event)
        arrivals = LogArrivals(reader)
        sessions = Sessions(executor, store, settings.consumer_read_timeout_ms / 1000)
        deliveries = Deliveries(store)
        await stack.enter_async_context(
            running_beside(
                {
                    "arrivals of messages": arrivals.run,
                    "sessions of consumers": sessions.run,
                    "deliveries to consumers": deliveries.run,
                }
            )
        )
        yield Streaming(
            messages=messages,
            arrivals=arrivals,
            sessions=sessions,
            deliveries=deliveries,
            poller=Poller(executor, messages, arrivals, sessions, deliveries, settings.max_poll_size),
        )


async def retain(
    settings: Settings, executor: CommandExecutor, database: Database, positions: Positions, clock: Clock
) -> None:
    """Closes days that are over, in one worker of several."""
    directory = Path(settings.archive_dir) if settings.archive_dir else None
    retaining = Retaining(
        executor,
        RetainedTopicQueries(TopicQueries(database), positions),
        LogValues(settings.database_url, directory),
        clock,
        can_archive=directory is not None,
    )
    lease = Lease(settings.database_url, "retention")
    while True:
        with suppress(LeaseLostError):
            async with lease.held():
                while True:
                    try:
                        await retaining.close_days()
                    except (LogUnavailableError, CommandConflictError, Overloaded) as reason:
                        logger.warning("closing days of topics was interrupted (%s), going on later", reason)
                    except OSError as fault:
                        logger.error("the archive cannot be written (%s); what is to be archived is kept", fault)
                    await asyncio.sleep(RETENTION_SECONDS)
