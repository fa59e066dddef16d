"""Read models advance together, fail alone and lose nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import psycopg
import sqlalchemy as sa

from adapters.embedded.postgres import EmbeddedPostgres
from domain.event import Recorded
from projections.database import Database
from projections.positions import Positions, ProjectionStatus, projection_statuses
from projections.readmodel import Target
from projections.registry import READ_MODELS
from projections.runner import ProjectionRunner
from tests.projections.conftest import running
from tests.projections.history import START, all_rows, append, discovered, measured, positions, sensor_added


class Fragile:
    """A read model that cannot apply anything until it is mended."""

    name: ClassVar[str] = "fragile"
    version: ClassVar[int] = 1
    tables: ClassVar[Sequence[sa.Table]] = ()
    broken: ClassVar[bool] = True

    async def apply(self, batch: Sequence[Recorded], to: Target) -> None:
        if self.broken:
            raise RuntimeError("cannot read this")


async def status_of(name: str, database: Database) -> ProjectionStatus:
    return next(status for status in await projection_statuses(database) if status.name == name)


async def test_a_failing_model_does_not_hold_up_the_others_and_joins_them_when_mended(
    database_url: str, database: Database, positions: Positions
) -> None:
    Fragile.broken = True
    append(database_url, discovered(), sensor_added())
    async with running(database_url, (*READ_MODELS, Fragile)):
        assert (await positions.fresh("directory")).fresh
        async with asyncio.timeout(10):
            while (fragile := await status_of("fragile", database)).state != "failed":
                await asyncio.sleep(0.01)
        assert (fragile.detail, fragile.lag) == ("RuntimeError: cannot read this", 2)
        Fragile.broken = False
        append(database_url, measured((1.0, START)))
        assert (await positions.fresh("fragile")).fresh


async def test_models_added_later_catch_up(database_url: str, positions: Positions) -> None:
    accounts, _, readings, *_ = READ_MODELS
    append(database_url, discovered(), sensor_added())
    async with running(database_url, (accounts, readings)):
        assert (await positions.fresh("readings")).fresh
    append(database_url, measured((1.0, START)))
    async with running(database_url):
        for model in READ_MODELS:
            assert (await positions.fresh(model.name)).fresh
    assert len(all_rows(database_url)["devices"]) == 1


async def test_two_workers_apply_every_event_once(database_url: str, positions: Positions) -> None:
    async with running(database_url), running(database_url):
        for value in range(50):
            append(database_url, measured((float(value), None)))
        assert (await positions.fresh("readings")).fresh
    assert len(all_rows(database_url)["readings"]) == 50


async def test_projections_go_on_by_themselves_after_the_database_was_away(own_postgres: EmbeddedPostgres) -> None:
    url = own_postgres.url
    append(url, discovered())
    async with Database(url) as database, Positions(database, patience=15).running() as reads, running(url) as runner:
        assert (await reads.fresh("directory")).fresh
        await asyncio.to_thread(own_postgres.restart)
        append(url, sensor_added())
        assert (await reads.fresh("directory")).fresh
        assert not runner.done()
    assert len(all_rows(url)["sensors"]) == 1


async def test_positions_and_rows_change_together(database_url: str) -> None:
    append(database_url, discovered(), sensor_added(), measured((1.0, START)))
    async with running(database_url):
        while positions(database_url).get("readings") != 3:
            await asyncio.sleep(0)
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT (SELECT position FROM projections WHERE name = 'readings'), count(*) FROM readings"
        ).fetchone()
    assert found == (3, 1)


class BreakingFeed:
    """Waits for events, and breaks when it is cancelled: the database goes down in the same moment."""

    def __init__(self, waiting: asyncio.Event) -> None:
        self._waiting = waiting

    async def after(self, position: int, limit: int, timeout: float) -> Sequence[Recorded]:
        self._waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise psycopg.OperationalError("gone") from None
        return ()


async def test_a_cancellation_in_the_moment_of_a_failure_is_obeyed(database_url: str) -> None:
    waiting = asyncio.Event()

    @asynccontextmanager
    async def feed() -> AsyncIterator[Any]:
        yield BreakingFeed(waiting)

    runner = asyncio.create_task(ProjectionRunner(database_url, READ_MODELS, feed, feed).run())
    await asyncio.wait_for(waiting.wait(), 10)
    runner.cancel()
    await asyncio.wait({runner}, timeout=10)
    assert runner.cancelled()
