"""What analytics needs, put together from settings."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.analytics.manifest import Manifest
from adapters.analytics.query import Queries, QueryLimits
from adapters.analytics.replay import Replay, ReplayLimits, Selection
from adapters.analytics.wire import Tail
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from domain.catalogue import CATALOGUE
from entrypoints.settings import Settings

if TYPE_CHECKING:
    from adapters.analytics.tail import LiveTail

# Events behind the export that a question may be given. The worker exports long before.
LONGEST_TAIL = 200_000


@asynccontextmanager
async def analysing(settings: Settings) -> AsyncIterator[Queries]:
    """Opens nothing, and takes no memory, until somebody asks."""
    limits = QueryLimits(
        seconds=settings.analytics_timeout,
        memory=settings.analytics_memory,
        rows=settings.analytics_rows,
        bytes=settings.analytics_size,
    )
    directory = Path(settings.export_dir) if settings.export_dir else None
    mapper = Mapper(CATALOGUE)
    async with PostgresLogReader(settings.database_url, mapper) as reader:
        yield Queries(directory, _TailOnDemand(reader, mapper).behind, limits)


def replays(settings: Settings) -> Callable[[Selection], Replay]:
    """Each with a connection of its own while it runs."""
    limits = ReplayLimits(seconds=settings.analytics_timeout, memory=settings.analytics_memory)
    return lambda selection: Replay(settings.database_url, Mapper(CATALOGUE), selection, limits)


class _TailOnDemand:
    """Arrow takes thirty megabytes, which most processes never need."""

    def __init__(self, reader: PostgresLogReader, mapper: Mapper) -> None:
        self._reader = reader
        self._mapper = mapper
        self._tail: LiveTail | None = None

    async def behind(self, manifest: Manifest) -> Tail:
        if self._tail is None:
            module = await asyncio.to_thread(import_module, "adapters.analytics.tail")
            self._tail = self._tail or module.LiveTail(self._reader, self._mapper, LONGEST_TAIL)
        return await self._tail.behind(manifest)
