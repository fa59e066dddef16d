"""Computing read models anew from the whole log while the present ones serve (blue/green).

A copy of each table is filled beside the serving one. When it has everything that the serving one has, both are
swapped in one transaction. A crash in between leaves the old one serving; the next attempt starts over.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain
from time import monotonic
from typing import LiteralString, NamedTuple

import sqlalchemy as sa
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from application.ports import LogReader
from projections.batch import Batch
from projections.positions import CHANNEL, register
from projections.readmodel import ReadModel, Target
from projections.runner import connect

SUFFIX = "__next"
BATCH = 5_000

# The tables of so many read models are filled at a time, each by a connection of its own.
LANES = 3

# So close to the serving tables that the rest is applied while they stand still.
_CLOSE = 2_000

_REPORT: LiteralString = """
    INSERT INTO rebuilds (name, position, target, rate, state) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (name) DO UPDATE SET position = excluded.position, target = excluded.target, rate = excluded.rate,
        state = excluded.state, updated_at = now(),
        started_at = CASE WHEN excluded.state = 'running' AND rebuilds.state <> 'running'
                          THEN now() ELSE rebuilds.started_at END
"""


class RebuildRunningError(Exception):
    """Somebody else rebuilds one of these read models now."""


class Progress(NamedTuple):
    """Where a rebuild is: `target` is the end of the log, `rate` in events a second."""

    position: int
    target: int
    rate: float

    @property
    def seconds_left(self) -> float | None:
        return (self.target - self.position) / self.rate if self.rate else None


async def rebuild(
    url: str,
    models: Sequence[type[ReadModel]],
    log: LogReader,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Rebuilds the models in one pass over the log and swaps them in. Returns the last progress.

    Raises RebuildRunningError when one of them is being rebuilt already, and whatever the database raises; the
    serving tables are then as they were.
    """
    async with AsyncExitStack() as opened:
        reporting, *filling = [await opened.enter_async_context(await connect(url)) for _ in range(1 + LANES)]
        await register(reporting, models)
        async with _only_one(reporting, models):
            reporter = _Reporter(reporting, models, report)
            try:
                return await _rebuild(filling, models, log, reporter)
            except BaseException:
                await reporter.say(Progress(reporter.last.position, reporter.last.target, 0), "failed")
                raise


async def outdated(url: str, models: Sequence[type[ReadModel]]) -> list[type[ReadModel]]:
    """The models whose `apply` is newer than the tables that serve: they are to be rebuilt."""
    async with await connect(url) as connection:
        stored = await register(connection, models)
    return [model for model in models if stored[model.name][0] < model.version]


class _Lane(NamedTuple):
    """Read models that are filled one after the other, while other lanes are."""

    models: Sequence[ReadModel]
    to: Target

    async def apply(self, batch: Batch) -> None:
        async with self.to.connection.transaction():
            for model in self.models:
                await model.apply(batch, self.to)


async def _rebuild(
    filling: Sequence[AsyncConnection[TupleRow]],
    models: Sequence[type[ReadModel]],
    log: LogReader,
    reporter: "_Reporter",
) -> Progress:
    tables = [table for model in models for table in model.tables]
    connection = filling[0]
    await _prepare(connection, tables)
    instances = [model() for model in models]
    lanes = [
        _Lane(instances[number :: len(filling)], Target(connection, SUFFIX))
        for number, connection in enumerate(filling)
    ]
    position = 0
    target = await log.head()
    reading = asyncio.ensure_future(log.read(position, BATCH))
    try:
        while events := await reading:
            position = events[-1].position
            if position + _CLOSE >= target:
                target = await log.head()
            # The next batch is read while the database takes in this one.
            reading = asyncio.ensure_future(log.read(position, BATCH))
            batch = Batch(events)
            await _each(lane.apply(batch) for lane in lanes)
            await reporter.tell(position, target)
            if target - position <= _CLOSE and await _serving(connection, models) <= position + _CLOSE:
                break
    finally:
        if not reading.done():
            await asyncio.wait([reading])
    await _swap(connection, models, instances, log, position, lanes[0].to)
    await _each(_vacuum(lane.to.connection, [model.tables for model in lane.models]) for lane in lanes)
    done = Progress(await log.head(), await log.head(), reporter.last.rate)
    await reporter.say(done, "done")
    return done


async def _each(doings: Iterable[Awaitable[None]]) -> None:
    """All at once: while the database takes in the rows of one lane, those of another are made. Ends when all have,
    with the first failure."""
    for done in await asyncio.gather(*doings, return_exceptions=True):
        if done is not None:
            raise done


async def _vacuum(connection: AsyncConnection[TupleRow], tables: Iterable[Sequence[sa.Table]]) -> None:
    """The server knows nothing of the new tables yet: neither what is in them nor that all of it can be seen."""
    for table in chain.from_iterable(tables):
        await connection.execute(f'VACUUM (ANALYZE) "{table.name}"'.encode())


async def _serving(connection: AsyncConnection[TupleRow], models: Sequence[type[ReadModel]]) -> int:
    cursor = await connection.execute(
        "SELECT min(position) FROM projections WHERE name = ANY(%s)", ([model.name for model in models],)
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def _swap(
    connection: AsyncConnection[TupleRow],
    models: Sequence[type[ReadModel]],
    instances: Sequence[ReadModel],
    log: LogReader,
    position: int,
    to: Target,
) -> None:
    """Brings every copy exactly to where the serving tables are, and puts it in their place."""
    async with connection.transaction():
        cursor = await connection.execute(
            "SELECT name, position FROM projections WHERE name = ANY(%s) ORDER BY name FOR UPDATE",
            ([model.name for model in models],),
        )
        serving: dict[str, int] = dict(await cursor.fetchall())
        for model, instance in zip(models, instances, strict=True):
            reached = position
            while reached < serving[model.name]:
                events = await log.read(reached, min(BATCH, serving[model.name] - reached))
                await instance.apply(Batch(events), to)
                reached = events[-1].position
            for table in model.tables:
                names = await _index_names(connection, table)
                await connection.execute(f'DROP TABLE "{table.name}"'.encode())
                await connection.execute(f'ALTER TABLE "{table.name}{SUFFIX}" RENAME TO "{table.name}"'.encode())
                await _name_indexes(connection, table, names)
            await connection.execute(
                "UPDATE projections SET position = %s, version = %s, updated_at = now() WHERE name = %s",
                (reached, model.version, model.name),
            )
        await connection.execute(f"NOTIFY {CHANNEL}".encode())


async def _index_names(connection: AsyncConnection[TupleRow], table: sa.Table) -> dict[str, str]:
    """The names of the table's indexes by what they index, which is the same for a table made like it."""
    cursor = await connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = %s",
        (table.name,),
    )
    return {re.sub(" INDEX .*? USING ", " USING ", definition): name for name, definition in await cursor.fetchall()}


async def _name_indexes(connection: AsyncConnection[TupleRow], table: sa.Table, names: dict[str, str]) -> None:
    """LIKE makes up names of its own, and a migration that speaks of an index would not find it."""
    for definition, made_up in (await _index_names(connection, table)).items():
        if (name := names.get(definition, made_up)) != made_up:
            await connection.execute(f'ALTER INDEX "{made_up}" RENAME TO "{name}"'.encode())


async def _prepare(connection: AsyncConnection[TupleRow], tables: Sequence[sa.Table]) -> None:
    for table in tables:
        await connection.execute(f'DROP TABLE IF EXISTS "{table.name}{SUFFIX}"'.encode())
        await connection.execute(f'CREATE TABLE "{table.name}{SUFFIX}" (LIKE "{table.name}" INCLUDING ALL)'.encode())
        # LIKE leaves out the table's own settings.
        cursor = await connection.execute(
            "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = %s::regclass", (f'"{table.name}"',)
        )
        row = await cursor.fetchone()
        if row and row[0]:
            await connection.execute(f'ALTER TABLE "{table.name}{SUFFIX}" SET ({row[0]})'.encode())


@asynccontextmanager
async def _only_one(connection: AsyncConnection[TupleRow], models: Sequence[type[ReadModel]]) -> AsyncIterator[None]:
    """Holds a lock per model as long as this process lives and works on it."""
    for model in models:
        cursor = await connection.execute(
            "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (f"rebuild {model.name}",)
        )
        row = await cursor.fetchone()
        if not row or not row[0]:
            raise RebuildRunningError(f"{model.name} is being rebuilt by another process")
    yield


class _Reporter:
    """Writes the progress twice a second, for whoever watches over HTTP, and tells the caller."""

    def __init__(
        self,
        connection: AsyncConnection[TupleRow],
        models: Sequence[type[ReadModel]],
        report: Callable[[Progress], None],
    ) -> None:
        self._connection = connection
        self._models = models
        self._report = report
        self._started = monotonic()
        self._reported = 0.0
        self.last = Progress(0, 0, 0)

    async def tell(self, position: int, target: int) -> None:
        elapsed = monotonic() - self._started
        self.last = Progress(position, target, position / elapsed if elapsed else 0)
        if monotonic() - self._reported > 0.5:
            self._reported = monotonic()
            await self.say(self.last, "running")

    async def say(self, progress: Progress, state: str) -> None:
        self.last = progress
        for model in self._models:
            await self._connection.execute(
                _REPORT, (model.name, progress.position, progress.target, progress.rate, state)
            )
        self._report(progress)
