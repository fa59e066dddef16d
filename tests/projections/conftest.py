"""A runner that keeps the read models of a test's database at the head of its log."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from projections.audit import moments, trail, trail_queries
from projections.database import Database
from projections.positions import Positions
from projections.readmodel import ReadModel
from projections.registry import READ_MODELS
from projections.runner import ProjectionRunner
from tests.projections.history import log_feed

# Events of a block of the audit where blocks are small.
BLOCK = 64

Running = Callable[..., Awaitable[None]]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database


@pytest.fixture
async def positions(database: Database) -> AsyncIterator[Positions]:
    async with Positions(database, patience=10).running() as positions:
        yield positions


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few hundred events fill several."""
    for module in (trail, trail_queries, moments):
        monkeypatch.setattr(module, "BLOCK", BLOCK)
    monkeypatch.setattr(trail, "_BITMAP", BLOCK // 8)


@asynccontextmanager
async def running(url: str, models: tuple[type[ReadModel], ...] = READ_MODELS) -> AsyncIterator[asyncio.Task[None]]:
    """Projections of the database at `url`, as long as the context lasts."""
    runner = ProjectionRunner(url, models, lambda: log_feed(url), lambda: log_feed(url))
    task = asyncio.create_task(runner.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def runner(database_url: str) -> AsyncIterator[asyncio.Task[None]]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(running(database_url))
