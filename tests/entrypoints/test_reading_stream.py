"""The live stream of readings when nothing happens, when PostgreSQL is away, and when it is time to end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from application.ports import LogUnavailableError
from domain.devices.readings import ReadingsRecorded
from domain.identifiers import VALUES_PER_EVENT
from entrypoints.lambda_iot.door import Door
from entrypoints.lambda_iot.routes import reading_stream
from entrypoints.lambda_iot.routes.reading_stream import reading_events
from projections.database import Database
from projections.devices.reading_queries import Followed, ReadingQueries
from projections.positions import Positions
from tests.projections.conftest import running
from tests.projections.history import SENSOR_ID, START, append, measured

SECONDS = 20.0


@pytest.fixture
async def door(database_url: str) -> AsyncIterator[Door]:
    """As much of a door as the stream looks through."""
    async with Database(database_url) as database, Positions(database).running() as positions:
        readings = ReadingQueries(database)
        yield cast("Door", SimpleNamespace(readings=readings, positions=positions, stopping=asyncio.Event()))


@asynccontextmanager
async def following(door: Door, after: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
    """The stream behind its opening."""
    events = reading_events(door, SENSOR_ID, after)
    try:
        async with asyncio.timeout(SECONDS):
            assert b"retry: 3000" in await anext(events)
            yield events
    finally:
        await events.aclose()  # type: ignore[attr-defined]  # a generator, said to be an iterator


async def test_a_subscriber_is_woken_by_what_comes_in(database_url: str, door: Door) -> None:
    async with running(database_url), following(door) as events:
        append(database_url, measured((1.0, START)))
        assert b'"value":1.0' in await anext(events)
        append(database_url, measured((2.0, None)))
        assert b'"value":2.0' in await anext(events)


async def test_pages_follow_each_other_without_being_asked_for(database_url: str, door: Door) -> None:
    readings = measured(*((float(number), None) for number in range(VALUES_PER_EVENT)))
    assert isinstance(readings[1], ReadingsRecorded)
    async with running(database_url):
        append(database_url, readings)
        async with following(door) as events:
            told = 0
            while told < VALUES_PER_EVENT:
                page = (await anext(events)).count(b"event: reading")
                assert page <= reading_stream.PAGE
                told += page
    assert told == VALUES_PER_EVENT


async def test_a_quiet_stream_gives_signs_of_life(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_stream, "SIGN_OF_LIFE_SECONDS", 0.05)
    async with following(door) as events:
        for _ in range(3):
            assert (await anext(events)).startswith(b":")


async def test_an_outage_of_the_database_is_waited_for(
    database_url: str, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow, refused = ReadingQueries.follow, 0

    async def away_at_first(self: ReadingQueries, *asked: Any) -> Followed:
        nonlocal refused
        refused += 1
        if refused < 3:
            raise LogUnavailableError("away")
        return await follow(self, *asked)

    monkeypatch.setattr(reading_stream, "AWAY_SECONDS", 0.01)
    monkeypatch.setattr(ReadingQueries, "follow", away_at_first)
    async with running(database_url), following(door) as events:
        append(database_url, measured((1.0, START)))
        assert b'"value":1.0' in await anext(events)
    assert refused >= 3


async def test_the_stream_ends_when_the_process_does(door: Door) -> None:
    async with following(door) as events:
        ending = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        door.stopping.set()
        with pytest.raises(StopAsyncIteration):
            await ending
