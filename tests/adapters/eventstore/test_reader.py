import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

import pytest
from msgspec import Raw

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.eventstore.log import PostgresEventLog
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from application.executor import CommandExecutor
from application.ports import LogUnavailableError
from domain.catalogue import CATALOGUE
from domain.devices.device import DeviceDiscovered
from domain.devices.readings import ReadingsRecorded
from domain.identifiers import partition_id
from domain.streams.partition import MessagesProduced
from tests.application.logs import running
from tests.facts import NOON, ORIGIN, announcing, device_named, reading, sensor_of
from tests.projections.history import append

BOILER = device_named("boiler")
FLOW = sensor_of(BOILER)


@asynccontextmanager
async def reader_and_executor(url: str) -> AsyncIterator[tuple[PostgresLogReader, CommandExecutor]]:
    reader = PostgresLogReader(url, Mapper(CATALOGUE))
    async with (
        contextlib.AsyncExitStack() as stack,
        PostgresEventLog(url, Mapper(CATALOGUE)) as log,
        running(log) as (executor,),
    ):
        stack.push_async_callback(reader.close)
        yield reader, executor


async def test_an_empty_log_has_head_0_and_nothing_to_read(database_url: str) -> None:
    async with reader_and_executor(database_url) as (reader, _):
        assert await reader.head() == 0
        assert await reader.read(0, 100) == []


async def test_events_are_read_in_order_from_behind_a_position(database_url: str) -> None:
    async with reader_and_executor(database_url) as (reader, executor):
        await executor.execute(announcing(BOILER), ORIGIN)
        await asyncio.gather(*(executor.execute(reading(FLOW, n), ORIGIN) for n in range(20)))
        assert await reader.head() == 23
        (first,) = await reader.read(0, 1)
        assert isinstance(first.event, DeviceDiscovered)
        assert (first.position, first.aggregate_id, first.version) == (1, BOILER, 1)
        assert (first.envelope.at, first.envelope.actor) == (NOON, "user:ada")
        some = await reader.read(3, 5)
        assert [recorded.position for recorded in some] == [4, 5, 6, 7, 8]
        assert all(isinstance(recorded.event, ReadingsRecorded) for recorded in some)
        assert await reader.read(23, 5) == []


async def test_rows_are_what_is_stored(database_url: str) -> None:
    async with reader_and_executor(database_url) as (reader, executor):
        await executor.execute(announcing(BOILER), ORIGIN)
        rows = await reader.read_rows(0, 10)
        assert [Mapper(CATALOGUE).recorded(*row) for row in rows] == await reader.read(0, 10)
        assert rows[0].topic == "devices.device.discovered.v1"


async def test_the_identity_of_a_log_stays_and_differs_from_others(make_database: object) -> None:
    assert callable(make_database)
    identities = []
    for url in (make_database(), make_database()):
        async with reader_and_executor(url) as (reader, _):
            identities += [await reader.identity(), await reader.identity()]
    assert identities[0] == identities[1]
    assert identities[2] == identities[3]
    assert len(set(identities)) == 2


async def test_an_append_wakes_whoever_waits(database_url: str) -> None:
    async with reader_and_executor(database_url) as (reader, executor):
        await reader.wait(1)  # the first call only begins to listen
        waiting = asyncio.create_task(reader.wait(30))
        await asyncio.sleep(0)
        started = perf_counter()
        await executor.execute(announcing(BOILER), ORIGIN)
        await waiting
        assert perf_counter() - started < 10


async def test_an_append_between_two_waits_is_not_missed(database_url: str) -> None:
    async with reader_and_executor(database_url) as (reader, executor):
        await reader.wait(1)
        for n in range(5):
            await executor.execute(announcing(BOILER, name=f"name {n}"), ORIGIN)
            started = perf_counter()
            await reader.wait(30)
            assert perf_counter() - started < 10
        assert len(await reader.read(0, 100)) == 7


async def test_waiting_ends_without_an_append_too(database_url: str) -> None:
    async with reader_and_executor(database_url) as (reader, _):
        await reader.wait(1)
        started = perf_counter()
        await reader.wait(0.05)
        assert 0.04 < perf_counter() - started < 5


async def test_waiting_can_be_cancelled_and_begun_again(database_url: str) -> None:
    async with reader_and_executor(database_url) as (reader, executor):
        await reader.wait(1)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await reader.wait(30)
        await executor.execute(announcing(BOILER), ORIGIN)
        async with asyncio.timeout(10):
            await reader.wait(30)
            assert len(await reader.read(0, 10)) == 3


async def test_a_follower_that_reads_and_waits_sees_everything_once(database_url: str) -> None:
    async with reader_and_executor(database_url) as (reader, executor):
        await executor.execute(announcing(BOILER), ORIGIN)

        async def follow(until: int) -> list[int]:
            seen: list[int] = []
            while len(seen) < until:
                found = await reader.read(seen[-1] if seen else 0, 7)
                seen += [recorded.position for recorded in found]
                if not found:
                    await reader.wait(30)
            return seen

        following = asyncio.create_task(follow(203))
        for n in range(200):
            await executor.execute(reading(FLOW, n), ORIGIN)
        async with asyncio.timeout(20):
            assert await following == list(range(1, 204))


async def test_a_restart_of_the_server_is_survived(own_postgres: EmbeddedPostgres) -> None:
    async with reader_and_executor(own_postgres.url) as (reader, executor):
        await executor.execute(announcing(BOILER), ORIGIN)
        await reader.wait(1)
        assert len(await reader.read(0, 10)) == 3
        own_postgres.kill()
        with pytest.raises(LogUnavailableError):
            await reader.read(0, 10)
        for _ in range(3):
            await reader.wait(0.05)
        await asyncio.to_thread(own_postgres.restart)
        assert len(await reader.read(0, 10)) == 3
        await reader.wait(1)
        await executor.execute(reading(FLOW), ORIGIN)
        async with asyncio.timeout(10):
            await reader.wait(30)
        assert len(await reader.read(0, 10)) == 4


def megabytes(count: int) -> list[MessagesProduced]:
    value = Raw(b'["' + b"x" * 2**20 + b'"]')
    return [
        MessagesProduced(name="t", partition=0, entry=number, offset=number - 1, count=1, values=value)
        for number in range(1, count + 1)
    ]


async def test_large_events_come_in_reads_of_a_bounded_size(database_url: str) -> None:
    append(database_url, *[(partition_id("t", 0), event) for event in megabytes(20)])
    async with PostgresLogReader(database_url, Mapper(CATALOGUE)) as reader:
        await reader.wait(1.0)
        positions: list[int] = []
        sizes = []
        while len(positions) < 20:
            events = await reader.read(positions[-1] if positions else 0, 1_000)
            positions += [event.position for event in events]
            sizes.append(len(events))
            begun = perf_counter()
            if len(positions) < 20:
                await reader.wait(5.0)
            assert perf_counter() - begun < 2.0, "what is left is there already"
        assert positions == list(range(1, 21))
        assert max(sizes) <= 17


async def test_events_of_one_kind_are_found_among_all_others(database_url: str) -> None:
    stream = partition_id("t", 0)
    append(database_url, (BOILER, DeviceDiscovered(name="a", description="", location="")))
    append(database_url, *[(stream, event) for event in megabytes(18)])
    append(database_url, (device_named("pump"), DeviceDiscovered(name="b", description="", location="")))
    async with PostgresLogReader(database_url, Mapper(CATALOGUE)) as reader:
        first, reached = await reader.read_rows_of(MessagesProduced.topic, 0)
        assert 15 <= len(first) <= 17
        assert reached == first[-1].position
        rest, end = await reader.read_rows_of(MessagesProduced.topic, reached)
        assert [row.position for row in [*first, *rest]] == list(range(2, 20))
        assert end == 20
        assert await reader.read_rows_of(MessagesProduced.topic, 20) == ([], 20)
