"""Every reading once, identified as contract 3.5 says."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from domain.identifiers import VALUES_PER_EVENT
from projections.database import Database
from projections.devices.reading_queries import Range, ReadingQueries, ReadingRow
from projections.positions import Positions
from tests.projections.history import SENSOR_ID, START, append, measured

pytestmark = pytest.mark.usefixtures("runner")


async def listed(database: Database, positions: Positions) -> Sequence[ReadingRow]:
    assert (await positions.fresh("readings")).fresh
    return await ReadingQueries(database).list(Range(SENSOR_ID), 100)


async def test_ids_follow_from_position_and_index(database_url: str, database: Database, positions: Positions) -> None:
    position = append(database_url, measured((1.0, START), (2.0, START + timedelta(seconds=1))))
    assert [(row.id, row.value) for row in await listed(database, positions)] == [
        (position * VALUES_PER_EVENT + 1, 2.0),
        (position * VALUES_PER_EVENT, 1.0),
    ]


async def test_a_reading_without_a_time_takes_that_of_its_recording(
    database_url: str, database: Database, positions: Positions
) -> None:
    append(database_url, measured((1.0, None)))
    assert [row.value_at for row in await listed(database, positions)] == [START]


async def test_a_repeated_message_is_listed_once_whenever_it_comes(
    database_url: str, database: Database, positions: Positions
) -> None:
    first = measured((1.0, START), (2.0, START + timedelta(seconds=5)))
    append(database_url, first)
    await positions.fresh("readings")
    append(database_url, measured((9.0, START + timedelta(hours=1))), first)
    assert [row.value for row in await listed(database, positions)] == [9.0, 2.0, 1.0]


async def test_a_repetition_within_one_batch_is_listed_once(
    database_url: str, database: Database, positions: Positions
) -> None:
    append(database_url, measured((1.0, START), (1.0, START)), measured((1.0, START)))
    assert len(await listed(database, positions)) == 1


async def test_a_late_reading_is_no_repetition(database_url: str, database: Database, positions: Positions) -> None:
    append(database_url, measured((2.0, START + timedelta(hours=1))), measured((1.0, START)))
    assert [row.value for row in await listed(database, positions)] == [2.0, 1.0]


async def test_readings_without_their_own_time_are_never_repetitions(
    database_url: str, database: Database, positions: Positions
) -> None:
    append(database_url, measured((1.0, None), (1.0, None)))
    assert len(await listed(database, positions)) == 2


async def test_over_http_the_same_time_twice_is_two_readings(
    database_url: str, database: Database, positions: Positions
) -> None:
    append(database_url, measured((1.0, START)), measured((2.0, START)), source="http")
    assert [row.value for row in await listed(database, positions)] == [2.0, 1.0]


async def test_reads_that_come_together_share_a_look(database_url: str, positions: Positions) -> None:
    append(database_url, measured((1.0, START)))
    seen = await asyncio.gather(*(positions.fresh("readings") for _ in range(50)))
    assert all(one.fresh and one.position >= 1 for one in seen)
