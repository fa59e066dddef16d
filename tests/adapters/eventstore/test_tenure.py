"""Of all who want to go on while the database is away, one has the lease, and keeps it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import pytest

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.eventstore.lease import Lease
from adapters.eventstore.tenure import AGAIN_SECONDS, Tenure
from tests.adapters.eventstore.thief import robbed
from tests.servers import start_postgres

PATIENCE = 30.0


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with start_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def name() -> str:
    return f"gateway {uuid4().hex[:12]}"


@asynccontextmanager
async def running(postgres: EmbeddedPostgres, name: str) -> AsyncIterator[Tenure]:
    tenure = Tenure(postgres.url, name)
    task = asyncio.create_task(tenure.run())
    try:
        yield tenure
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


async def soon(waiting: Awaitable[None]) -> None:
    async with asyncio.timeout(PATIENCE):
        await waiting


async def test_the_next_takes_over_when_the_one_who_has_it_ends(postgres: EmbeddedPostgres, name: str) -> None:
    async with running(postgres, name) as first:
        await soon(first.until_held())
        async with running(postgres, name) as second:
            await soon(second.until_taken())
            assert first.held
            assert not second.held
        async with running(postgres, f"{name} other") as other:
            await soon(other.until_held())
    async with running(postgres, name) as third:
        await soon(third.until_held())


async def test_a_database_that_was_away_finds_the_same_one_in_office(postgres: EmbeddedPostgres, name: str) -> None:
    async with running(postgres, name) as first:
        await soon(first.until_held())
        async with running(postgres, name) as second:
            await soon(second.until_taken())
            taken = asyncio.create_task(first.until_taken())
            await asyncio.to_thread(postgres.kill)
            await until(lambda: not first.held)
            await asyncio.to_thread(postgres.restart)
            await until(lambda: first.held)
            assert not second.held
            assert not taken.done()
            taken.cancel()


async def test_whoever_finds_the_lease_with_another_is_told(postgres: EmbeddedPostgres, name: str) -> None:
    async with running(postgres, name) as first:
        await soon(first.until_held())
        async with robbed(postgres.url, name):
            await soon(first.until_taken())
            assert not first.held
        await soon(first.until_held())


async def test_it_is_no_other_who_holds_it_on_our_own_lost_connection(postgres: EmbeddedPostgres, name: str) -> None:
    """As after a broken network, when the server still believes in the connection."""
    async with running(postgres, name) as first:
        await soon(first.until_held())
        taken = asyncio.create_task(first.until_taken())
        async with robbed(postgres.url, name, as_itself=True):
            await until(lambda: not first.held)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(first.until_held(), 3 * AGAIN_SECONDS)
            assert not taken.done()
        await soon(first.until_held())
        assert not taken.done()
        taken.cancel()


async def test_it_is_waited_for_while_the_database_is_away(postgres: EmbeddedPostgres, name: str) -> None:
    await asyncio.to_thread(postgres.stop)
    async with running(postgres, name) as tenure:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(tenure.until_held(), 0.5)
        await asyncio.to_thread(postgres.start)
        await soon(tenure.until_held())


async def test_a_lease_of_the_ordinary_kind_excludes_it(postgres: EmbeddedPostgres, name: str) -> None:
    async with Lease(postgres.url, name).held(), running(postgres, name) as tenure:
        await soon(tenure.until_taken())
        assert not tenure.held
