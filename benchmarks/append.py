"""Appending through the executor, against COPY.

Ours: a thousand `RecordReading` commands are waiting, the executor decides them, encodes their events and appends
them in one transaction; twenty such batches a half. Theirs: the very rows that were appended are copied into a
twin of the table (same columns, same indexes) by psycopg's `COPY`, one commit for every thousand.
Both are counted in events a second, and both tables grow alike.
"""

import asyncio
from time import perf_counter
from typing import Any

import psycopg

from adapters.eventstore.log import PostgresEventLog
from application.command import Command
from application.devices.readings import RecordReading
from application.executor import CommandExecutor
from benchmarks.fleet import BenchDevice, announce, executor, fleet, mapper, origin
from benchmarks.measure import Bench, Figure, alternate, compare, require_equal
from benchmarks.servers import migrated_postgres
from domain.devices.readings import Reading

BATCH = 1_000
BATCHES = 20

_ROWS = (
    "SELECT originator_id, originator_version, topic, state, notification_id FROM events"
    " WHERE notification_id > %s ORDER BY notification_id"
)


async def measure(bench: Bench) -> list[Figure]:
    with migrated_postgres() as url:
        members = fleet(200)
        await announce(url, members)
        async with PostgresEventLog(url, mapper()) as log, executor(log).running() as running:
            comparison = _Comparison(url, running, members)
            with comparison.connection:
                # Once for nothing, and so that there are always rows which were not copied yet.
                await comparison.ours()
                await comparison.theirs()
                await comparison.ours()
                pairs = await alternate(bench, comparison.ours, comparison.theirs)
    return [compare("append of batches of 1,000 events ÷ raw COPY of the same rows", pairs, 0.4, "executor", "COPY")]


class _Comparison:
    def __init__(self, url: str, running: CommandExecutor, members: list[BenchDevice]) -> None:
        self.connection = psycopg.connect(url)
        self.connection.execute("CREATE TABLE copied (LIKE events INCLUDING ALL)")
        self.connection.commit()
        self._running = running
        self._sensors = [sensor for device in members for sensor in device.sensors]
        self._copied = self._head()
        self._appended: list[list[tuple[Any, ...]]] = []

    async def ours(self) -> float:
        before = self._head()
        commands = [(self._command(number), origin(number)) for number in range(BATCH * BATCHES)]
        started = perf_counter()
        answers = [self._running.submit(*command) for command in commands]
        await answers[-1]  # they are answered in order
        seconds = perf_counter() - started
        for answer in answers:
            answer.result()
        require_equal(BATCH * BATCHES, self._head() - before, "appended events")
        return BATCH * BATCHES / seconds

    async def theirs(self) -> float:
        rows = self.connection.cursor(binary=True).execute(_ROWS, (self._copied,)).fetchall()[: BATCH * BATCHES]
        self.connection.commit()
        require_equal(BATCH * BATCHES, len(rows), "rows to copy")
        self._copied = rows[-1][4]
        started = perf_counter()
        for start in range(0, len(rows), BATCH):
            await asyncio.to_thread(self._copy, rows[start : start + BATCH])
        seconds = perf_counter() - started
        return len(rows) / seconds

    def _copy(self, rows: list[tuple[Any, ...]]) -> None:
        with self.connection.cursor().copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["uuid", "int8", "text", "bytea", "int8"])
            for row in rows:
                copy.write_row(row)
        self.connection.commit()

    def _command(self, number: int) -> Command:
        return RecordReading(reading=Reading(sensor_id=self._sensors[number % len(self._sensors)], value=number / 7))

    def _head(self) -> int:
        with self.connection.transaction():
            row = self.connection.execute("SELECT coalesce(max(notification_id), 0) FROM events").fetchone()
        return int(row[0]) if row else 0
