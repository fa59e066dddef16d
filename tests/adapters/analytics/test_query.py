"""A question is answered from the export and from what came since, by a process that can do nothing else."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from adapters.analytics.manifest import Manifest, UnreadableManifestError
from adapters.analytics.query import (
    ExportBehindError,
    InvalidQueryError,
    Queries,
    QueryError,
    QueryLimits,
    QueryTooLargeError,
    QueryTooSlowError,
)
from adapters.eventstore.reader import PostgresLogReader
from domain.devices.device import DeviceConnected
from tests.adapters.analytics.history import (
    HOUSE,
    MAPPER,
    TOPICS,
    Fact,
    append,
    append_stored,
    export,
    live_tail,
    sampled,
)
from tests.product import ROOT, descendants_running, environment

PATIENT = QueryLimits(seconds=60)
ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b"


@asynccontextmanager
async def asking(
    url: str, directory: Path | None, limits: QueryLimits = PATIENT, longest: int = 100_000
) -> AsyncIterator[Queries]:
    async with PostgresLogReader(url, MAPPER) as reader:
        yield Queries(directory, live_tail(reader, longest).behind, limits)


async def rows(queries: Queries, sql: str) -> list[list[Any]]:
    found: list[list[Any]] = json.loads((await queries.ask(sql, "json")).body)["rows"]
    return found


def fill(url: str, first: int = 0) -> None:
    append_stored(url, [sampled(topic, first + number) for number, topic in enumerate(TOPICS)])


def everything_in(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*"))


async def test_without_an_export_everything_is_read_from_the_log(database_url: str) -> None:
    fill(database_url)
    async with asking(database_url, None) as queries:
        assert await rows(queries, "SELECT count(*), max(position) FROM events") == [[len(TOPICS), len(TOPICS)]]


async def test_an_empty_log_has_empty_tables(database_url: str, tmp_path: Path) -> None:
    async with asking(database_url, tmp_path) as queries:
        for table in ("events", "readings", "metrics", "presence", "commands", "messages"):
            assert await rows(queries, f"SELECT count(*) FROM {table}") == [[0]]


async def test_what_was_exported_and_what_came_since_are_one_table(database_url: str, tmp_path: Path) -> None:
    fill(database_url)
    async with asking(database_url, tmp_path) as queries:
        count = "SELECT count(*), count(DISTINCT position), max(position) FROM events"
        for round in range(1, 4):
            assert await rows(queries, count) == [[round * len(TOPICS)] * 3]
            await export(database_url, tmp_path)
            assert await rows(queries, count) == [[round * len(TOPICS)] * 3]
            fill(database_url, round * 1_000)
        contexts = await rows(queries, "SELECT DISTINCT context FROM events ORDER BY 1")
    assert contexts == [["connectors"], ["devices"], ["identity"], ["metrics"], ["streams"]]


async def test_the_answer_says_up_to_where_it_read(database_url: str) -> None:
    async with asking(database_url, None) as queries:
        assert (await queries.ask("SELECT 1", "json")).position == 0
        fill(database_url)
        assert (await queries.ask("SELECT 1", "json")).position == len(TOPICS)


async def test_files_that_were_merged_meanwhile_are_looked_up_again(database_url: str, tmp_path: Path) -> None:
    fill(database_url)
    old = await export(database_url, tmp_path)
    fill(database_url, 1_000)
    async with PostgresLogReader(database_url, MAPPER) as reader:
        tail = live_tail(reader)
        is_first = True

        async def merged_meanwhile(manifest: Manifest) -> Any:
            nonlocal is_first
            if is_first:
                is_first = False
                for file in old.files:
                    (tmp_path / file.path).rename(tmp_path / f"{file.path}.gone")
                return await tail.behind(manifest)
            for file in old.files:
                (tmp_path / f"{file.path}.gone").rename(tmp_path / file.path)
            return await tail.behind(manifest)

        queries = Queries(tmp_path, merged_meanwhile, PATIENT)
        assert await rows(queries, "SELECT count(data) FROM events") == [[2 * len(TOPICS)]]


async def test_an_export_that_was_removed_leaves_no_gap(database_url: str, tmp_path: Path) -> None:
    fill(database_url)
    async with asking(database_url, tmp_path) as queries:
        count = "SELECT count(*), count(DISTINCT position) FROM events"
        await export(database_url, tmp_path)
        fill(database_url, 1_000)
        assert await rows(queries, count) == [[2 * len(TOPICS)] * 2]
        shutil.rmtree(tmp_path)
        assert await rows(queries, count) == [[2 * len(TOPICS)] * 2]


async def test_the_export_of_another_log_is_not_believed(make_database: Callable[[], str], tmp_path: Path) -> None:
    one, other = make_database(), make_database()
    fill(one)
    fill(other)
    await export(one, tmp_path)
    async with asking(other, tmp_path) as queries:
        with pytest.raises(UnreadableManifestError):
            await rows(queries, "SELECT 1")


async def test_every_format_says_the_same(database_url: str) -> None:
    append(database_url, Fact(0.5, HOUSE, DeviceConnected(through="mqtt")))
    sql = 'SELECT position, "at", is_there, reason, value FROM presence, (SELECT 1.5 AS value)'
    async with asking(database_url, None) as queries:
        told = json.loads((await queries.ask(sql, "json")).body)
        as_csv = (await queries.ask(sql, "csv")).body.decode()
        table = pa.ipc.open_stream((await queries.ask(sql, "arrow")).body).read_all()
    assert [column["name"] for column in told["columns"]] == ["position", "at", "is_there", "reason", "value"]
    assert told["rows"] == [[1, "2026-01-14T12:00:00.500000Z", True, None, 1.5]]
    assert as_csv.splitlines() == ["position,at,is_there,reason,value", "1,2026-01-14T12:00:00.500000Z,true,,1.5"]
    assert table.column("position").to_pylist() == [1]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_text('{directory}/manifest.json')",
        "SELECT * FROM read_parquet('{directory}/*/*/*.parquet')",
        "SELECT * FROM read_parquet('http://127.0.0.1/x.parquet')",
        "SELECT * FROM read_text('s3://bucket/x')",
        "COPY (SELECT 1) TO '{directory}/out.csv'",
        "COPY events TO '/tmp/out.parquet'",
        "EXPORT DATABASE '{directory}/all'",
        "ATTACH '{directory}/other.db'",
        "ATTACH 'postgres:dbname=postgres' AS log (TYPE postgres)",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA enable_profiling",
        "CALL pragma_version()",
        "CREATE TABLE mine AS SELECT 1",
        "DROP VIEW events",
        "INSERT INTO tail_events SELECT * FROM tail_events",
        "SELECT 1; SELECT 2",
        "SELECT getenv('PATH')",
        "SELEC 1",
        "SELECT nothing FROM events",
        "SELECT CAST('x' AS INTEGER)",
        "",
    ],
)
async def test_nothing_but_a_question_is_answered(sql: str, database_url: str, tmp_path: Path) -> None:
    fill(database_url)
    await export(database_url, tmp_path)
    before = everything_in(tmp_path)
    async with asking(database_url, tmp_path) as queries:
        with pytest.raises(InvalidQueryError) as refused:
            await queries.ask(sql.format(directory=tmp_path), "json")
    assert str(refused.value)
    assert "root:" not in str(refused.value)
    assert everything_in(tmp_path) == before


async def test_a_question_without_quotes_around_at_is_told_how(database_url: str) -> None:
    async with asking(database_url, None) as queries:
        with pytest.raises(InvalidQueryError, match='write "at" in quotes'):
            await queries.ask("SELECT at FROM events", "json")


@pytest.mark.parametrize(
    ("sql", "limits", "error"),
    [
        (ENDLESS, QueryLimits(seconds=1.5), QueryTooSlowError),
        ("SELECT * FROM range(101)", QueryLimits(rows=100), QueryTooLargeError),
        ("SELECT * FROM range(1000000000000)", QueryLimits(), QueryTooLargeError),
        ("SELECT repeat('x', 2000000)", QueryLimits(bytes=1_000_000), QueryTooLargeError),
        ("SELECT list(range) FROM range(100000000)", QueryLimits(memory=100_000_000), QueryTooLargeError),
        ("SELECT repeat('x', 4000000000)", QueryLimits(memory=100_000_000), QueryError),
    ],
)
async def test_limits_end_a_question(sql: str, limits: QueryLimits, error: type[QueryError], database_url: str) -> None:
    async with asking(database_url, None, limits) as queries:
        with pytest.raises(error):
            await queries.ask(sql, "json")
        assert await rows(queries, "SELECT 1") == [[1]]


async def test_as_many_rows_as_allowed_are_answered(database_url: str) -> None:
    async with asking(database_url, None, QueryLimits(seconds=60, rows=100)) as queries:
        assert len(await rows(queries, "SELECT * FROM range(100)")) == 100


async def test_who_gives_up_leaves_no_process_behind(database_url: str) -> None:
    async with asking(database_url, None) as queries:
        asked = asyncio.create_task(queries.ask(ENDLESS, "json"))
        while not (running := _sandboxes()):
            await asyncio.sleep(0.02)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert not running & _sandboxes()


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSEGV", "SIGBUS", "SIGTERM"])
async def test_a_process_that_ends_by_itself_is_said_so(how: str, database_url: str) -> None:
    async with asking(database_url, None) as queries:
        asked = asyncio.create_task(queries.ask(ENDLESS, "json"))
        while not (running := _sandboxes()):
            await asyncio.sleep(0.02)
        for pid in running:
            os.kill(pid, signal.Signals[how])
        with pytest.raises(QueryError, match=f"ended by itself .{how}.*short of memory") as told:
            await asked
        assert told.type is QueryError
        assert await rows(queries, "SELECT 1") == [[1]]


async def test_an_export_that_is_far_behind_is_said_so(database_url: str, tmp_path: Path) -> None:
    fill(database_url)
    async with asking(database_url, tmp_path, longest=len(TOPICS) - 1) as queries:
        with pytest.raises(ExportBehindError):
            await queries.ask("SELECT 1", "json")
        await export(database_url, tmp_path)
        assert await rows(queries, "SELECT count(*) FROM events") == [[len(TOPICS)]]


def test_the_walls_hold_whatever_is_behind_them(tmp_path: Path) -> None:
    """Should DuckDB have a hole, its process still can do nothing."""
    if sys.platform != "linux":
        pytest.skip("there are walls on Linux only")
    (tmp_path / "readable").write_text("data")
    told = subprocess.run(
        [sys.executable, "-c", _TRY_ALL, str(tmp_path)], cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    outcomes = json.loads(told.stdout)
    if outcomes.pop("missing"):
        pytest.skip("this kernel has not all of the walls")
    assert outcomes.pop("read what may be read") == "data"
    assert outcomes.pop("thread") == "ran"
    assert set(outcomes.values()) <= {"PermissionError", "OSError"}, outcomes


def test_who_takes_too_long_on_the_processor_is_told_apart_from_who_is_killed() -> None:
    if sys.platform != "linux":
        pytest.skip("there are walls on Linux only")
    busy = "from adapters.analytics.walls import limit\nlimit(4 << 30, 0)\nwhile True: pass"
    ended = subprocess.run([sys.executable, "-c", busy], cwd=ROOT, env=environment(), timeout=60)
    assert ended.returncode == -signal.SIGXCPU


_TRY_ALL = """
import json, os, socket, subprocess, sys, threading
from pathlib import Path
from adapters.analytics.walls import limit, raise_walls

directory, outcomes = Path(sys.argv[1]), {}
limit(4 << 30, 10)
outcomes["missing"] = list(raise_walls([directory]))
heard = []

def outcome(name, attempt):
    try:
        outcomes[name] = attempt()
    except Exception as error:
        outcomes[name] = type(error).__name__

def thread():
    started = threading.Thread(target=lambda: heard.append("ran"))
    started.start()
    started.join()
    return heard[0]

outcome("read what may be read", (directory / "readable").read_text)
outcome("thread", thread)
outcome("read another file", lambda: open("/etc/passwd").read())
outcome("read the environment", lambda: open("/proc/self/environ").read())
outcome("write", lambda: (directory / "new").write_text("x"))
outcome("write over", lambda: (directory / "readable").write_text("x"))
outcome("remove", (directory / "readable").unlink)
outcome("network", lambda: socket.create_connection(("127.0.0.1", 80)))
outcome("datagram", lambda: socket.socket(type=socket.SOCK_DGRAM))
outcome("local socket", lambda: socket.socket(socket.AF_UNIX))
outcome("program", lambda: subprocess.run(["/bin/true"]))
outcome("kill", lambda: os.kill(os.getppid(), 0))
print(json.dumps(outcomes))
"""


def _sandboxes() -> set[int]:
    """Of this process: others test the same beside it."""
    return set(descendants_running("adapters.analytics.sandbox", os.getpid()))
