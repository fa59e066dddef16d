"""Histories for the tests of read models: recorded facts with what stands around them, appended as they are."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import psycopg

from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from application.ports import NewEvent
from domain.catalogue import CATALOGUE
from domain.devices.device import DeviceDiscovered
from domain.devices.reading import ReadingCorrected, ReadingRemoved
from domain.devices.readings import Reading, ReadingsRecorded
from domain.devices.sensor import SensorAdded
from domain.event import Envelope, Event, Recorded, Source
from domain.identifiers import amendment_id, reading_id
from projections.as_of import Moment, reading_as_of
from projections.feed import Feed
from projections.registry import READ_MODELS
from tests.persons import KEYS, keep_keys

START = datetime(2026, 1, 14, 10, 0, tzinfo=UTC)
MAPPER = Mapper(CATALOGUE)
DEVICE_ID = UUID("3814fb88-565c-5dc8-9b91-60d4002b6edc")
SENSOR_ID = uuid5(DEVICE_ID, "sensor-0")


def append(url: str, *facts: tuple[UUID, Event], source: Source = "mqtt") -> int:
    """Appends facts one second apart, bypassing every rule. Returns the position of the last."""
    head = -1
    with psycopg.connect(url) as connection:
        for aggregate_id, event in facts:
            head, version = connection.execute(
                "SELECT (SELECT coalesce(max(notification_id), 0) FROM events),"
                " (SELECT coalesce(max(originator_version), 0) FROM events WHERE originator_id = %s)",
                (aggregate_id,),
            ).fetchone() or (0, 0)
            envelope = Envelope(
                id=uuid4(),
                at=START + timedelta(seconds=head),
                actor="system:test",
                source=source,
                correlation_id="test",
            )
            keep_keys(connection, event)
            state = MAPPER.encode(NewEvent(aggregate_id, version + 1, event, envelope), KEYS)
            connection.execute(
                "INSERT INTO events VALUES (%s, %s, %s, %s, %s)",
                (aggregate_id, version + 1, event.topic, state, head + 1),
            )
        connection.execute("NOTIFY events")
    return int(head + 1)


def discovered(name: str = "Greenhouse") -> tuple[UUID, Event]:
    return DEVICE_ID, DeviceDiscovered(name=name, description="", location="")


def sensor_added(sensor_id: UUID = SENSOR_ID) -> tuple[UUID, Event]:
    return sensor_id, SensorAdded(
        device_id=DEVICE_ID, name="Temperature", type="temp", data_type_id=1, origin="discovery"
    )


def measured(*values: tuple[float, datetime | None]) -> tuple[UUID, Event]:
    readings = tuple(Reading(sensor_id=SENSOR_ID, value=value, value_at=at) for value, at in values)
    return uuid5(DEVICE_ID, "readings"), ReadingsRecorded(device_id=DEVICE_ID, readings=readings)


def corrected(position: int, index: int, value: float, at: datetime) -> tuple[UUID, Event]:
    """The reading with this index among those that were recorded at the position."""
    id = reading_id(position, index)
    return amendment_id(id), ReadingCorrected(reading_id=id, sensor_id=SENSOR_ID, value=value, value_at=at)


def removed(position: int, index: int) -> tuple[UUID, Event]:
    id = reading_id(position, index)
    return amendment_id(id), ReadingRemoved(reading_id=id, sensor_id=SENSOR_ID)


@asynccontextmanager
async def log_feed(url: str) -> AsyncIterator[Feed]:
    reader = PostgresLogReader(url, MAPPER)
    try:
        yield Feed(reader)
    finally:
        await reader.close()


@contextmanager
def as_of(position: int) -> Iterator[None]:
    """What is asked in here is asked as of the position, in a log that `append` made."""

    async def asked() -> tuple[int, datetime]:
        return position, START + timedelta(seconds=position - 1)

    with reading_as_of(Moment(asked)):
        yield


def rows(url: str, table: str) -> Sequence[tuple[Any, ...]]:
    """All rows of a table, in an order that does not depend on how they got there."""
    with psycopg.connect(url) as connection:
        return sorted(connection.execute(f"SELECT * FROM {table}".encode()).fetchall(), key=repr)


def all_rows(url: str) -> dict[str, Sequence[tuple[object, ...]]]:
    """The rows of every read model."""
    return {table.name: rows(url, table.name) for model in READ_MODELS for table in model.tables}


def positions(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT name, position FROM projections").fetchall())


def recorded(position: int) -> Recorded:
    """Some event at the position."""
    aggregate_id, event = measured((float(position), None))
    envelope = Envelope(id=uuid4(), at=START, actor="system:test", source="mqtt", correlation_id="test")
    return Recorded(position=position, aggregate_id=aggregate_id, version=position, event=event, envelope=envelope)
