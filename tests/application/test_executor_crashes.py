"""The command executor on PostgreSQL when connections break, the server dies and other processes write."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.eventstore.log import PostgresEventLog
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.recorder import LogRecorder
from application.command import Receipt
from application.executor import CommandExecutor
from application.identity import DisableUser
from application.ports import LogUnavailableError
from domain.catalogue import CATALOGUE
from domain.decider import Decider
from domain.devices.device import DEVICE
from domain.devices.readings import ReadingsRecorded
from domain.identity.user import UserDisabled, UserEnabled
from domain.value import State
from tests.application.logs import AddUser, PostgresLogUnderTest, assert_sound, everything_in, executor_on, running
from tests.facts import ORIGIN, announcing, device_named, reading, sensor_of

BOILER = device_named("boiler")
FLOW = sensor_of(BOILER)


@contextmanager
def writer_broken(url: str, when: str) -> Iterator[list[str]]:
    """Ends the backend of the next append at the given moment, as a network or an operator might."""
    original = LogRecorder._insert_at
    broken: list[str] = []

    def insert_at(self: LogRecorder, connection: Any, rows: Any, head: int) -> bool:
        if broken:
            return original(self, connection, rows, head)
        broken.append(when)
        if when == "before the commit":
            with connection.transaction():
                original(self, connection, rows, head)
                _terminate(url, connection.info.backend_pid)
            return True
        inserted = original(self, connection, rows, head)
        _terminate(url, connection.info.backend_pid)
        if when == "after the commit":
            connection.execute("SELECT 1")  # learns only now that the connection is gone
        return inserted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LogRecorder, "_insert_at", insert_at)
        yield broken


def _terminate(url: str, pid: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


@pytest.mark.parametrize("when", ["before the commit", "after the commit", "between two commits"])
async def test_a_writer_cut_off_at_the_worst_moment_neither_loses_nor_doubles(
    postgres_log: PostgresLogUnderTest, when: str
) -> None:
    async with running(postgres_log.connect()) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        with writer_broken(postgres_log.url, when) as broken:
            answers = [executor.submit(reading(FLOW, n), ORIGIN) for n in range(50)]
            receipts = await asyncio.gather(*answers)
            receipts.append(await executor.execute(reading(FLOW, 50), ORIGIN))
        assert broken
    events = await postgres_log.everything()
    assert_sound(events)
    values = [e.event.readings[0].value for e in events if isinstance(e.event, ReadingsRecorded)]
    assert values == [float(n) for n in range(51)]
    assert [receipt.position for receipt in receipts] == list(range(4, 55))


async def test_a_reader_cut_off_reads_again(postgres_log: PostgresLogUnderTest) -> None:
    async with running(postgres_log.connect()) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        _terminate_all(postgres_log.url)
        assert isinstance(await executor.execute(reading(FLOW), ORIGIN), Receipt)
    async with running(postgres_log.connect()) as (fresh,):
        await fresh.execute(reading(FLOW), ORIGIN)
        _terminate_all(postgres_log.url)
        await fresh.execute(announcing(device_named("pump")), ORIGIN)  # loads first
    assert_sound(await postgres_log.everything())


def _terminate_all(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_a_restart_of_the_server_between_two_commands_goes_unnoticed(own_postgres: EmbeddedPostgres) -> None:
    async with (
        PostgresEventLog(own_postgres.url, Mapper(CATALOGUE)) as log,
        running(log) as (executor,),
    ):
        await executor.execute(announcing(BOILER), ORIGIN)
        own_postgres.kill()
        await asyncio.to_thread(own_postgres.restart)
        assert (await executor.execute(reading(FLOW), ORIGIN)).first == 4
    assert_sound(await everything_in(own_postgres.url))


async def test_while_the_server_is_down_commands_fail_soon_and_work_soon_when_it_is_back(
    own_postgres: EmbeddedPostgres,
) -> None:
    async with (
        PostgresEventLog(own_postgres.url, Mapper(CATALOGUE)) as log,
        running(log) as (executor,),
    ):
        await executor.execute(announcing(BOILER), ORIGIN)
        own_postgres.kill()
        for _ in range(3):
            async with asyncio.timeout(5):
                with pytest.raises(LogUnavailableError):
                    await executor.execute(reading(FLOW), ORIGIN)
        await asyncio.to_thread(own_postgres.restart)
        # Should one of them have been under way when the server died, that is cleared up first.
        async with asyncio.timeout(5):
            while not await _is_recorded(executor):
                await asyncio.sleep(0.01)
    assert_sound(await everything_in(own_postgres.url))


async def _is_recorded(executor: CommandExecutor) -> bool:
    try:
        return bool((await executor.execute(reading(FLOW), ORIGIN)).first)
    except LogUnavailableError:
        return False


async def test_what_was_acknowledged_before_a_server_was_killed_under_load_is_there_once(
    own_postgres: EmbeddedPostgres,
) -> None:
    acknowledged: list[float] = []
    stop, enough = asyncio.Event(), asyncio.Event()

    async def write(executor: CommandExecutor, who: int) -> None:
        n = 0
        while not stop.is_set():
            value = float(who * 100_000 + n)
            n += 1
            try:
                await executor.execute(reading(FLOW, value), ORIGIN)
            except LogUnavailableError:
                await asyncio.sleep(0.02)
            else:
                acknowledged.append(value)
                if len(acknowledged) % 200 == 0:
                    enough.set()

    async with (
        PostgresEventLog(own_postgres.url, Mapper(CATALOGUE)) as log,
        running(log) as (executor,),
    ):
        await executor.execute(announcing(BOILER), ORIGIN)
        writers = [asyncio.create_task(write(executor, who)) for who in range(20)]
        for _ in range(2):
            enough.clear()
            await enough.wait()
            own_postgres.kill()
            await asyncio.to_thread(own_postgres.restart)
        enough.clear()
        await enough.wait()
        stop.set()
        await asyncio.gather(*writers)
    events = await everything_in(own_postgres.url)
    assert_sound(events)
    values = [e.event.readings[0].value for e in events if isinstance(e.event, ReadingsRecorded)]
    assert len(set(values)) == len(values)
    assert set(acknowledged) <= set(values)


WRITER = """
import asyncio, json, sys
from adapters.eventstore.log import PostgresEventLog
from adapters.eventstore.mapper import Mapper
from application.identity import DisableUser, EnableUser
from domain.catalogue import CATALOGUE
from tests.application.logs import running
from tests.facts import ORIGIN, device_named, reading, sensor_of

async def main(url, who):
    async with PostgresEventLog(url, Mapper(CATALOGUE)) as log, running(log) as (executor,):
        print("ready", flush=True)
        sys.stdin.readline()
        positions = []
        for n in range(60):
            values = [reading(sensor_of(device_named("boiler")), who * 10_000 + n * 10 + k) for k in range(3)]
            toggle = [DisableUser(username="ada", reason="x"), EnableUser(username="ada")][n % 2]
            receipts = await asyncio.gather(*(executor.execute(c, ORIGIN) for c in (*values, toggle)))
            positions += [receipt.position for receipt in receipts if receipt.first]
        print(json.dumps(positions), flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_two_processes_writing_the_same_aggregates_lose_and_double_nothing(
    postgres_log: PostgresLogUnderTest, pytestconfig: pytest.Config
) -> None:
    async with running(postgres_log.connect()) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        await executor.execute(AddUser(username="ada", password_hash="x"), ORIGIN)

    def start(who: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", WRITER, postgres_log.url, str(who)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=pytestconfig.rootpath,
        )

    def positions(writers: list[subprocess.Popen[str]]) -> list[int]:
        for writer in writers:
            assert writer.stdout
            assert writer.stdout.readline() == "ready\n"
        answers = []
        for writer in writers:
            assert writer.stdin
            writer.stdin.write("go\n")
            writer.stdin.flush()
        for writer in writers:
            told, _ = writer.communicate(timeout=60)
            assert writer.returncode == 0
            answers += json.loads(told)
        return answers

    writers = [start(who) for who in (1, 2)]
    try:
        told = await asyncio.to_thread(positions, writers)
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    events = await postgres_log.everything()
    assert_sound(events)
    assert sorted(told) == [event.position for event in events[4:]]
    values = [e.event.readings[0].value for e in events if isinstance(e.event, ReadingsRecorded)]
    assert sorted(values) == [who * 10_000 + n * 10 + k for who in (1, 2) for n in range(60) for k in range(3)]
    toggled = [type(e.event) for e in events if isinstance(e.event, UserDisabled | UserEnabled)]
    assert toggled == [UserDisabled if n % 2 == 0 else UserEnabled for n in range(len(toggled))]


# What a load reads


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many stored events were read since it was asked last."""
    read = [0]
    original = LogRecorder._events

    def events(self: LogRecorder, query: Any, parameters: Any) -> Any:
        found = original(self, query, parameters)
        read[0] += sum(".snapshot" not in event.topic for event in found)
        return found

    def count() -> int:
        now, read[0] = read[0], 0
        return now

    monkeypatch.setattr(LogRecorder, "_events", events)
    return count


async def test_the_stream_of_a_day_with_10000_events_is_continued_by_reading_one(
    postgres_log: PostgresLogUnderTest, counted: Callable[[], int]
) -> None:
    async with running(postgres_log.connect()) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        await asyncio.gather(*(executor.submit(reading(FLOW, n), ORIGIN) for n in range(10_000)))
    async with running(postgres_log.connect()) as (fresh,):
        await fresh.execute(announcing(BOILER), ORIGIN)  # the device and its sensor are known
        counted()
        receipt = await fresh.execute(reading(FLOW), ORIGIN)
    assert counted() <= 1
    assert receipt.version == 10_001


async def rename(executor: CommandExecutor, times: int) -> None:
    for n in range(times):
        await executor.execute(announcing(BOILER, sensors=None, name=f"name {n}"), ORIGIN)


async def test_an_aggregate_with_a_long_life_is_loaded_from_its_snapshot(
    postgres_log: PostgresLogUnderTest, counted: Callable[[], int]
) -> None:
    async with running(postgres_log.connect()) as (executor,):
        await rename(executor, 250)
        before = await executor.find(*_boiler())
    with psycopg.connect(postgres_log.url) as connection:
        versions = connection.execute("SELECT originator_version FROM snapshots ORDER BY 1").fetchall()
    assert versions == [(100,), (200,)]
    counted()
    async with running(postgres_log.connect()) as (fresh,):
        assert await fresh.find(*_boiler()) == before
        assert counted() == 50
        assert (await fresh.execute(announcing(BOILER, sensors=None, name="last"), ORIGIN)).version == 251


@pytest.mark.parametrize("change", ["shape", "content"])
async def test_a_snapshot_of_a_state_that_had_another_shape_is_passed_over_and_replaced(
    postgres_log: PostgresLogUnderTest, counted: Callable[[], int], change: str
) -> None:
    async with running(postgres_log.connect()) as (executor,):
        await rename(executor, 120)
        before = await executor.find(*_boiler())
    with psycopg.connect(postgres_log.url) as connection:
        if change == "shape":
            connection.execute("UPDATE snapshots SET topic = 'devices.device.snapshot.0'")
        connection.execute('UPDATE snapshots SET state = \'{"name": "old"}\'')
    counted()
    async with running(postgres_log.connect()) as (fresh,):
        assert await fresh.find(*_boiler()) == before
        assert counted() >= 120
        await fresh.execute(announcing(BOILER, sensors=None, name="new"), ORIGIN)
    counted()
    async with running(postgres_log.connect()) as (third,):
        assert (await third.execute(announcing(BOILER, sensors=None, name="newer"), ORIGIN)).version == 122
        assert counted() <= 1


def test_the_topic_of_a_snapshot_tells_the_shape_of_its_state() -> None:
    class Door(State):
        open: bool = False

    class DoorWithLock(State):
        open: bool = False
        locked: bool = False

    def topic(state: type[State]) -> str:
        return Decider("house.door", state, lambda state, event: state).snapshot_topic

    assert topic(Door) == topic(Door)
    assert topic(Door) != topic(DoorWithLock)


def _boiler() -> Any:
    return DEVICE, BOILER


async def test_disabling_survives_the_process(postgres_log: PostgresLogUnderTest) -> None:
    async with running(postgres_log.connect()) as (executor,):
        await executor.execute(AddUser(username="ada", password_hash="x"), ORIGIN)
        await executor.execute(DisableUser(username="ada", reason="x"), ORIGIN)
    async with executor_on(postgres_log.connect()).running() as fresh:
        assert (await fresh.execute(DisableUser(username="ada", reason="x"), ORIGIN)).events == ()
