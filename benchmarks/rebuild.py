"""Computing all read models anew from a million events, against the library's own projection.

Ours: `rebuild` of every read model in one pass, as `tidemark rebuild` does it: reading, decoding, rows and three
indexes on a million readings, and the swap. The log is what a fleet leaves behind: accounts, devices with their
sensors, devices that come and go (one event in a hundred), readings (all others), one reading an event. Theirs: the
library's `ProjectionRunner` over its own log of readings, writing one row an event, row and position in one
transaction. Both are counted in events a second.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any
from uuid import UUID, uuid4

import psycopg

from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from application.ports import NewEvent
from benchmarks import plain_library
from benchmarks.fleet import BenchDevice, announce, fleet, mapper
from benchmarks.measure import Bench, Figure, alternate, compare, require_equal
from benchmarks.servers import migrated_postgres
from domain.devices.device import DeviceConnected, DeviceDisconnected
from domain.devices.readings import Reading, ReadingsRecorded
from domain.event import Envelope, Event
from domain.identifiers import readings_id
from projections.rebuild import rebuild
from projections.registry import READ_MODELS

EVENTS = 1_000_000
LIBRARY_EVENTS = 3_000


async def measure(bench: Bench) -> list[Figure]:
    events = 100_000 if bench.quick else EVENTS
    with migrated_postgres() as url:
        bench.say(f"filling the log with {events:,} events")
        members = fleet(500)
        await announce(url, members)
        readings = await asyncio.to_thread(fill, url, members, events)
        library_head = await asyncio.to_thread(_fill_library, url, members)

        async def ours() -> float:
            reader = PostgresLogReader(url, mapper())
            started = perf_counter()
            await rebuild(url, READ_MODELS, reader)
            seconds = perf_counter() - started
            await reader.close()
            require_equal(readings, _count(url, "readings"), "readings")
            return events / seconds

        async def theirs() -> float:
            _forget_library_view(url)
            projection = await asyncio.to_thread(plain_library.project_all, url, library_head)
            require_equal(LIBRARY_EVENTS, projection.rows, "rows of the library's projection")
            return projection.rows / projection.seconds

        pairs = await alternate(bench, ours, theirs)
    what = f"rebuild of all read models from {events:,} events ÷ the library's ProjectionRunner, one row an event"
    return [compare(what, pairs, 40, "rebuild", "library")]


def fill(url: str, members: list[BenchDevice], events: int) -> int:
    """Brings the log to so many events by COPY. Returns how many of them are readings."""
    with psycopg.connect(url) as connection:
        before = _head(connection)
        with connection.cursor().copy("COPY events FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["uuid", "int8", "text", "bytea", "int8"])
            for row in _rows(mapper(), members, before, events):
                copy.write_row(row)
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE events")
        found = connection.execute("SELECT count(*) FROM events WHERE topic = %s", (ReadingsRecorded.topic,)).fetchone()
        require_equal(events, _head(connection), "events")
    return int(found[0]) if found else 0


def _rows(encoding: Mapper, members: list[BenchDevice], before: int, events: int) -> Iterator[tuple[Any, ...]]:
    now = datetime.now(UTC) - timedelta(days=1)
    versions: dict[UUID, int] = {device.id: 2 for device in members}  # discovered, inventory announced
    for position in range(before + 1, events + 1):
        now += timedelta(milliseconds=20)
        device = members[position * 7 % len(members)]
        event, id = _event(device, position, now)
        version = versions[id] = versions.get(id, 0) + 1
        envelope = Envelope(
            id=uuid4(), at=now, actor=f"device:{device.id}", source="mqtt", correlation_id=f"benchmark-{position:08}"
        )
        yield (id, version, event.topic, encoding.encode(NewEvent(id, version, event, envelope)), position)


def _event(device: BenchDevice, position: int, now: datetime) -> tuple[Event, UUID]:
    if position % 200 == 0:
        return DeviceConnected(through="mqtt"), device.id
    if position % 200 == 100:
        return DeviceDisconnected(through="mqtt", reason="offline"), device.id
    sensor_id = device.sensors[position % len(device.sensors)]
    reading = Reading(sensor_id=sensor_id, value=20 + position % 100 / 7, value_at=now - timedelta(milliseconds=5))
    return ReadingsRecorded(device_id=device.id, readings=(reading,)), readings_id(device.id, now.date())


def _fill_library(url: str, members: list[BenchDevice]) -> int:
    with plain_library.PlainReadings(env=plain_library.environment(url)) as application:
        application.fill([device.sensors[0] for device in members[:100]], LIBRARY_EVENTS)
        return application.recorder.max_notification_id() or 0


def _forget_library_view(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE IF EXISTS plain_readings, plain_projection_tracking")


def _count(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    return int(row[0]) if row else 0


def _head(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT coalesce(max(notification_id), 0) FROM events").fetchone()
    return int(row[0]) if row else 0
