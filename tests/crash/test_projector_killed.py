"""A projector is killed a hundred times in mid-batch: its tables equal a fresh rebuild."""

import asyncio
import os
import subprocess
import sys

import psycopg
import pytest

from adapters.embedded.postgres import EmbeddedPostgres
from tests.crash.history import History, head, lock_out, positions, rows_of_all_tables
from tests.crash.killed_worker import catch_up, rebuild_all
from tests.crash.tally import Printer, Stopwatch, Tally
from tests.product import ROOT, environment

KILLS = int(os.environ.get("TIDEMARK_TEST_KILLS", "100"))
COMMANDS = 40_000
BATCH = 25

WORKER = (sys.executable, "-m", "tests.crash.killed_worker")

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("killed")]


async def test_a_projector_killed_a_hundred_times_equals_its_rebuild(
    own_postgres: EmbeddedPostgres, printed: Printer
) -> None:
    url = own_postgres.url
    await History(seed=7).write(url, COMMANDS)
    await lock_out(url, "locked out")
    await rebuild_all(url, 5_000)  # so that everybody is registered, at the head
    with psycopg.connect(url, autocommit=True) as connection:
        expected_early = rows_of_all_tables(url)
        connection.execute("UPDATE projections SET position = 0")
        for table in expected_early:
            connection.execute(f'TRUNCATE "{table}"'.encode())
    done = await asyncio.to_thread(worker, "project", url, str(BATCH), str(KILLS), "11")
    in_work = int(done.removeprefix("in-work "))
    assert in_work > KILLS // 2, f"only {in_work} of {KILLS} workers had begun when they were killed"
    reached = min(positions(url).values())
    assert reached < head(url), f"the log is too short for {KILLS} kills"
    recovery = Stopwatch()
    await catch_up(url)
    seconds = recovery.seconds
    survived = rows_of_all_tables(url)
    await rebuild_all(url, 5_000)
    rebuilt = rows_of_all_tables(url)
    tally = Tally(f"projector killed {KILLS} times, {in_work} of them at work, {reached:,} of {head(url):,} events")
    tally.recoveries.append(seconds)
    for table, rows in rebuilt.items():
        tally.acknowledged.update((table, row) for row in rows)
        tally.store((table, row) for row in survived[table])
    printed(tally)
    assert not tally.lost
    assert not tally.duplicate
    for table, rows in rebuilt.items():
        assert survived[table] == rows, f"{table} differs from its rebuild"
    assert rebuilt == expected_early, "a rebuild gives the same every time"


async def test_duplicates_among_mqtt_readings_are_one_row(own_postgres: EmbeddedPostgres) -> None:
    """The log of this test does hold repetitions; the read model must not."""
    url = own_postgres.url
    await History(seed=3).write(url, 3_000)
    await rebuild_all(url, 5_000)
    with psycopg.connect(url) as connection:
        in_log = connection.execute(
            "SELECT count(*), count(DISTINCT (r->>'sensor_id', r->>'value_at')) FROM events,"
            " jsonb_array_elements(convert_from(state, 'utf8')::jsonb -> 'data' -> 'readings') r"
            " WHERE topic = 'devices.readings.recorded.v1' AND r ? 'value_at'"
        ).fetchone()
        stored = connection.execute(
            "SELECT count(*), count(DISTINCT (sensor_id, value_at)) FROM readings"
            " WHERE value_at < received_at - interval '1 minute'"
        ).fetchone()
    assert in_log is not None
    assert stored is not None
    assert in_log[0] > in_log[1]
    assert stored[0] == stored[1] == in_log[1]


@pytest.mark.parametrize("part", [0.2, 0.9])
async def test_a_rebuild_killed_in_the_middle_leaves_the_old_one_serving(
    own_postgres: EmbeddedPostgres, printed: Printer, part: float
) -> None:
    url = own_postgres.url
    history = History(seed=5)
    await history.write(url, 10_000)
    await catch_up_from_nothing(url)
    serving = rows_of_all_tables(url)
    last = head(url)
    await asyncio.to_thread(rebuild_and_kill, url, part * last)
    assert rows_of_all_tables(url) == serving
    await history.write(url, 500)
    await catch_up(url)
    assert head(url) > last
    went_on = rows_of_all_tables(url)
    assert went_on != serving
    recovery = Stopwatch()
    await rebuild_all(url, 5_000)
    printed(f"rebuild killed at {part:.0%}: the old one served on; run again in {recovery.seconds:.1f} s")
    assert rows_of_all_tables(url) == went_on
    with psycopg.connect(url) as connection:
        left = connection.execute("SELECT count(*) FROM pg_tables WHERE tablename LIKE '%\\_\\_next'").fetchone()
        states = connection.execute("SELECT DISTINCT state FROM rebuilds").fetchall()
    assert left == (0,)
    assert states == [("done",)]


async def catch_up_from_nothing(url: str) -> None:
    """The first run registers the read models."""
    await rebuild_all(url, 5_000)
    await catch_up(url)


def worker(*arguments: str) -> str:
    done = subprocess.run(
        [*WORKER, *arguments], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rebuild_and_kill(url: str, position: float) -> None:
    """Starts a rebuild in small batches and kills it when it has come to the position."""
    with subprocess.Popen(
        [*WORKER, "rebuild", url, "50"], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
    ) as rebuilding:
        assert rebuilding.stdout is not None
        for line in rebuilding.stdout:
            if int(line.removeprefix("at ")) >= position:
                break
        rebuilding.kill()
    assert rebuilding.returncode == -9, "it was done before it could be killed"
