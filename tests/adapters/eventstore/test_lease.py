"""Of all who ask for a lease, one has it, and whoever loses it learns so."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.eventstore.lease import Lease, LeaseLostError
from tests.servers import start_postgres

PATIENCE = 30.0


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with start_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


async def test_one_holds_the_lease_and_the_next_gets_it_afterwards(postgres: EmbeddedPostgres) -> None:
    order: list[str] = []
    took = asyncio.Event()

    async def wait_for_it() -> None:
        async with Lease(postgres.url, "work").held():
            order.append("second")

    async with asyncio.timeout(PATIENCE), Lease(postgres.url, "work").held(), Lease(postgres.url, "other").held():
        second = asyncio.create_task(wait_for_it())
        asyncio.get_running_loop().call_later(1.5, took.set)
        await took.wait()
        order.append("first")
    async with asyncio.timeout(PATIENCE):
        await second
    assert order == ["first", "second"]


async def test_a_lost_connection_ends_the_body(postgres: EmbeddedPostgres) -> None:
    def terminate() -> None:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidemark lease work'"
            )

    async def hold() -> None:
        async with asyncio.timeout(PATIENCE), Lease(postgres.url, "work").held():
            await asyncio.to_thread(terminate)
            await asyncio.Event().wait()

    with pytest.raises(LeaseLostError):
        await hold()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_it_is_waited_for_while_the_database_is_away(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    async def hold() -> None:
        async with Lease(postgres.url, "work").held():
            pass

    await asyncio.to_thread(postgres.stop)
    holding = asyncio.create_task(hold())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(holding), 0.5)
    await asyncio.to_thread(postgres.start)
    async with asyncio.timeout(PATIENCE):
        await holding


async def test_cancelling_the_holder_is_an_ordinary_cancellation_and_frees_the_lease(
    postgres: EmbeddedPostgres,
) -> None:
    held = asyncio.Event()

    async def hold() -> None:
        async with Lease(postgres.url, "work").held():
            held.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(PATIENCE):
        holder = asyncio.create_task(hold())
        await held.wait()
        holder.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holder
        async with Lease(postgres.url, "work").held():
            pass
