"""Readings as of every position, those of clocks that are ahead of ours and those that were changed since included."""

from datetime import timedelta
from uuid import uuid5

import pytest

from domain.devices.readings import Reading, ReadingsRecorded
from domain.devices.sensor import SensorRemoved
from projections.database import Database
from projections.devices.reading_queries import Range, ReadingQueries
from projections.positions import Positions
from tests.projections.history import DEVICE_ID, SENSOR_ID, START, append, as_of, corrected, measured, removed

pytestmark = pytest.mark.usefixtures("runner")

OTHER = uuid5(DEVICE_ID, "sensor-1")


async def test_the_newest_of_each_sensor_are_told_as_of_each_position(
    database_url: str, database: Database, positions: Positions
) -> None:
    queries = ReadingQueries(database)
    of_other = ReadingsRecorded(device_id=DEVICE_ID, readings=(Reading(sensor_id=OTHER, value=7, value_at=None),))
    steps = [
        measured((1, START - timedelta(days=1)), (2, START)),
        (uuid5(DEVICE_ID, "readings"), of_other),
        measured((3, START + timedelta(hours=1))),
        measured((4, None)),
        corrected(3, 0, 30, START - timedelta(hours=1)),
        removed(4, 0),
        corrected(1, 1, 20, START + timedelta(days=1)),
        measured((5, None)),
        (SENSOR_ID, SensorRemoved()),
        removed(2, 0),
        measured((6, START)),
    ]
    said = []
    for step in steps:
        position = append(database_url, step)
        assert (await positions.fresh("readings")).fresh
        said.append((position, await queries.latest(None), await queries.latest(None, 1, "asc"), await _all(queries)))
    assert [[row.value for row in newest] for _, newest, _, _ in said] == [
        *([2], [7, 2], [3, 7], [3, 7], [4, 7], [7, 2], [20, 7]),
        *([20, 7], [7], [], [6]),
    ]
    for position, newest, oldest, every in said:
        with as_of(position):
            assert await queries.latest(None) == newest
            assert await queries.latest(None, 1, "asc") == oldest
            assert await _all(queries) == every


async def _all(queries: ReadingQueries) -> object:
    return await queries.list(Range(), 10), await queries.list(Range(SENSOR_ID), 10)
