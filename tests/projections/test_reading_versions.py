"""What was corrected, removed or cut off with its sensor: hidden from every query, told in the history, the same
however the log is cut into batches."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.devices.readings import Reading, ReadingsRecorded
from domain.event import Envelope, Event, Recorded, Source
from domain.identifiers import reading_id
from projections.batch import Batch
from projections.database import Database
from projections.devices.reading_queries import Place, Range, ReadingQueries
from projections.devices.readings import ReadingHistory
from projections.readmodel import Target
from projections.runner import connect
from tests.projections.history import DEVICE_ID, SENSOR_ID, START, append, corrected, measured, removed, rows

OTHER = UUID(int=77)
TABLES = [table.name for table in ReadingHistory.tables]


class SensorRemoved(Event, topic="devices.sensor.removed.v1"):
    """As the registry of sensors tells it."""


def gone(sensor_id: UUID = SENSOR_ID) -> tuple[UUID, Event]:
    return sensor_id, SensorRemoved()


def of(sensor_id: UUID, *values: float) -> tuple[UUID, Event]:
    """Readings of a sensor, a minute apart."""
    readings = tuple(
        Reading(sensor_id=sensor_id, value=value, value_at=START + timedelta(minutes=number))
        for number, value in enumerate(values)
    )
    return uuid4(), ReadingsRecorded(device_id=DEVICE_ID, readings=readings)


def story(*facts: tuple[UUID, Event], source: Source = "mqtt") -> list[Recorded]:
    return [
        Recorded(
            position=position,
            aggregate_id=aggregate_id,
            version=position,
            event=event,
            envelope=Envelope(
                id=uuid4(),
                at=START + timedelta(seconds=position),
                actor=f"user:{position}",
                source=source,
                correlation_id="test",
            ),
        )
        for position, (aggregate_id, event) in enumerate(facts, 1)
    ]


async def told(url: str, events: Sequence[Recorded], size: int = 1000) -> dict[str, Sequence[tuple[Any, ...]]]:
    """The tables after these events, applied in batches of a size, each of which may be tried twice."""
    model = ReadingHistory()
    async with await connect(url) as connection:
        for table in TABLES:
            await connection.execute(f"TRUNCATE {table}".encode())
        for start in range(0, len(events), size):
            async with connection.transaction(force_rollback=True):
                await model.apply(Batch(events[start : start + size]), Target(connection))
            async with connection.transaction():
                await model.apply(Batch(events[start : start + size]), Target(connection))
    return {table: rows(url, table) for table in TABLES}


@pytest.fixture
async def queries(database_url: str) -> AsyncIterator[ReadingQueries]:
    async with Database(database_url) as database:
        yield ReadingQueries(database)


async def values(queries: ReadingQueries, sensor_id: UUID | None = SENSOR_ID) -> list[float]:
    return [row.value for row in await queries.list(Range(sensor_id), 100)]


LATER = START + timedelta(hours=1)
LONG_STORY = story(
    of(SENSOR_ID, 1, 2, 3),
    corrected(1, 0, 10, LATER),
    of(OTHER, 7),
    removed(1, 1),
    of(SENSOR_ID, 1, 2, 3, 4),  # the same messages again, and a fourth
    corrected(1, 0, 11, START),
    corrected(1, 1, 5, START),  # too late, it is removed
    removed(99, 0),  # was never recorded
    measured((8, LATER)),  # at a time that only a correction ever had
    gone(),
    of(SENSOR_ID, 1, 2),  # no repetition: what it repeats is no longer shown
    corrected(11, 1, 2.5, LATER),
    removed(11, 1),
    of(SENSOR_ID, 1, 2),
    gone(OTHER),
    of(OTHER, 7),
)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
async def test_it_makes_no_difference_how_the_log_is_cut(database_url: str, size: int) -> None:
    whole = await told(database_url, LONG_STORY)
    assert await told(database_url, LONG_STORY, size) == whole
    assert {table: len(found) for table, found in whole.items()} == {
        "readings": 7,
        "reading_versions": 8,
        "reading_cutoffs": 2,
    }


async def test_a_corrected_reading_says_the_new_in_its_new_place(database_url: str, queries: ReadingQueries) -> None:
    await told(database_url, story(of(SENSOR_ID, 1, 2), corrected(1, 0, 10, LATER)))
    assert await values(queries) == [10, 2]
    assert [(row.id, row.value) for row in await queries.latest(None)] == [(reading_id(1, 0), 10)]


async def test_a_removed_reading_is_gone(database_url: str, queries: ReadingQueries) -> None:
    await told(database_url, story(of(SENSOR_ID, 1, 2), removed(1, 1)))
    assert await values(queries) == [1]
    assert await queries.find(reading_id(1, 1)) is None


async def test_a_removed_reading_that_is_sent_again_stays_removed(database_url: str, queries: ReadingQueries) -> None:
    message = of(SENSOR_ID, 1, 2)
    await told(database_url, story(message, removed(1, 0), message), size=1)
    assert await values(queries) == [2]


async def test_a_corrected_reading_that_is_sent_again_stays_corrected(
    database_url: str, queries: ReadingQueries
) -> None:
    message = of(SENSOR_ID, 1)
    await told(database_url, story(message, corrected(1, 0, 5, LATER), message), size=1)
    assert await values(queries) == [5]


async def test_history_tells_every_version_and_who_made_it(database_url: str, queries: ReadingQueries) -> None:
    append(database_url, of(SENSOR_ID, 1))
    await told(database_url, story(of(SENSOR_ID, 1), corrected(1, 0, 5, LATER), removed(1, 0)))
    assert [tuple(version) for version in await queries.history(reading_id(1, 0))] == [
        (1, START, START + timedelta(seconds=1), "system:test", "recorded"),
        (5, LATER, START + timedelta(seconds=2), "user:2", "corrected"),
        (5, LATER, START + timedelta(seconds=3), "user:3", "removed"),
    ]
    assert await queries.history(reading_id(1, 1)) == []


async def test_history_goes_on_after_the_sensor_is_removed(database_url: str, queries: ReadingQueries) -> None:
    await told(database_url, story(of(SENSOR_ID, 1), gone(), of(SENSOR_ID, 2), gone()))
    told_of = await queries.history(reading_id(1, 0))
    assert [(version.what, version.value) for version in told_of] == [("recorded", 1), ("removed", 1)]
    assert (told_of[-1].actor, told_of[-1].at) == ("user:2", START + timedelta(seconds=2))


async def test_a_removed_sensor_takes_its_readings_out_of_every_query(
    database_url: str, queries: ReadingQueries
) -> None:
    await told(database_url, story(of(SENSOR_ID, 1, 2), of(OTHER, 7), gone()))
    assert await values(queries) == []
    assert await values(queries, None) == [7]
    assert await queries.find(reading_id(1, 0)) is None
    assert await queries.latest(SENSOR_ID) == []
    assert [row.value for row in await queries.latest(None)] == [7]
    assert await queries.buckets(Range(SENSOR_ID), timedelta(minutes=5), ["count"], 10) == []
    assert [row.value for row in (await queries.follow(None, 0, 100)).rows] == [7]
    assert (await queries.follow(SENSOR_ID, 0, 100)).rows == []


async def test_a_sensor_that_comes_back_begins_anew(database_url: str, queries: ReadingQueries) -> None:
    await told(database_url, story(of(SENSOR_ID, 1, 2), gone(), of(SENSOR_ID, 3)))
    assert await values(queries) == [3]
    assert await values(queries, None) == [3]
    assert await queries.buckets(Range(SENSOR_ID), timedelta(minutes=5), ["count", "avg"], 10) == [(START, 1, 3)]


@pytest.mark.parametrize("sensor_id", [SENSOR_ID, None])
async def test_following_a_page_at_a_time_sees_each_reading_once(
    database_url: str, queries: ReadingQueries, sensor_id: UUID | None
) -> None:
    await told(database_url, story(of(SENSOR_ID, *range(25)), of(OTHER, *range(25)), of(SENSOR_ID, 99), removed(1, 3)))
    seen: list[int] = []
    after, more = 0, True
    while more:
        rows, after, more = await queries.follow(sensor_id, after, 7)
        seen += [row.id for row in rows]
    ids = [row.id for row in await queries.list(Range(sensor_id), 100)]
    assert seen == sorted(ids)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sensor_id", [SENSOR_ID, None])
async def test_pages_by_place_are_disjoint_and_complete(
    database_url: str, queries: ReadingQueries, sensor_id: UUID | None, order: Any
) -> None:
    await told(database_url, story(of(SENSOR_ID, *range(10)), of(SENSOR_ID, *range(10)), source="http"))
    whole = await queries.list(Range(sensor_id), 100, order=order)
    seen: list[Any] = []
    after: Place | None = None
    while page := await queries.list(Range(sensor_id), 3, order=order, after=after):
        seen += page
        after = Place(page[-1].value_at, page[-1].id)
    assert len(whole) == 20
    assert seen == list(whole)


async def test_averages_of_the_largest_and_the_smallest_numbers_can_be_told(
    database_url: str, queries: ReadingQueries
) -> None:
    largest, smallest = 1.7976931348623157e308, 5e-324
    await told(database_url, story(of(SENSOR_ID, largest, largest, smallest), of(OTHER, smallest, 0)))
    width = timedelta(days=36_600)
    ((_, average, greatest),) = await queries.buckets(Range(SENSOR_ID), width, ["avg", "max"], 10)
    assert average == pytest.approx(largest / 3 * 2)
    assert greatest == largest
    ((start, average),) = await queries.buckets(Range(OTHER), width, ["avg"], 10)
    assert average == 0
    assert start.year >= 1


async def test_the_history_of_a_batch_that_is_tried_again_is_told_once(database_url: str) -> None:
    found = await told(database_url, story(of(SENSOR_ID, 1), corrected(1, 0, 2, START)))
    assert [row[6] for row in found["reading_versions"]] == ["recorded", "corrected"]
