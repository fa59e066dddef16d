"""The port EventLog: the same rules for PostgreSQL and for the fake."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from application.ports import EventLog, NewEvent, Ref, StaleError
from domain.devices.device import DEVICE, DeviceConnected, DeviceDiscovered
from domain.devices.readings import READINGS, Reading, ReadingsRecorded
from domain.devices.sensor import SENSOR
from domain.event import Envelope, Event
from tests.application.logs import FakeLogUnderTest, PostgresLogUnderTest
from tests.facts import NOON, device_named, sensor_of

BOILER, PUMP = device_named("boiler"), device_named("pump")
DISCOVERED = DeviceDiscovered(name="boiler", description="", location="")
MEASURED = ReadingsRecorded(device_id=BOILER, readings=(Reading(sensor_id=sensor_of(BOILER), value=1.0),))


@pytest.fixture(params=["postgres", "fake"])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[EventLog]:
    if request.param == "fake":
        yield FakeLogUnderTest().connect()
        return
    real = PostgresLogUnderTest(request.getfixturevalue("database_url"))
    yield real.connect()
    await real.close()


def new(id: UUID, version: int, event: Event) -> NewEvent:
    envelope = Envelope(id=uuid4(), at=NOON, actor="user:ada", source="http", correlation_id="c-1")
    return NewEvent(id, version, event, envelope)


async def test_what_never_was_is_loaded_as_nothing(log: EventLog) -> None:
    loaded = await log.load([Ref(DEVICE, BOILER), Ref(READINGS, PUMP)])
    assert [(found.state, found.version) for found in (loaded[BOILER], loaded[PUMP])] == [(None, 0), (None, 0)]
    assert await log.head() == 0


async def test_what_was_appended_is_loaded_as_its_fold(log: EventLog) -> None:
    appended = await log.append([new(BOILER, 1, DISCOVERED), new(BOILER, 2, DeviceConnected(through="mqtt"))], 0, set())
    assert (appended.first, appended.head) == (1, 2)
    loaded = (await log.load([Ref(DEVICE, BOILER)]))[BOILER]
    assert loaded.decider is DEVICE
    assert loaded.version == 2
    assert loaded.state == DEVICE.fold([DISCOVERED, DeviceConnected(through="mqtt")])


async def test_of_a_telemetry_stream_only_the_version_is_loaded(log: EventLog) -> None:
    await log.append([new(PUMP, version, MEASURED) for version in (1, 2, 3)], 0, set())
    loaded = (await log.load([Ref(READINGS, PUMP)]))[PUMP]
    assert (loaded.decider, loaded.state, loaded.version) == (READINGS, None, 3)


async def test_an_aggregate_asked_for_as_another_kind_is_loaded_as_a_foreign_one(log: EventLog) -> None:
    await log.append([new(BOILER, 1, DISCOVERED), new(PUMP, 1, MEASURED)], 0, set())
    for ref in (Ref(SENSOR, BOILER), Ref(READINGS, BOILER), Ref(DEVICE, PUMP)):
        loaded = (await log.load([ref]))[ref.id]
        assert loaded.decider is not ref.decider
        assert (loaded.state, loaded.version) == (None, 1)


async def test_an_append_behind_others_names_whom_they_changed(log: EventLog) -> None:
    await log.append([new(PUMP, 1, DISCOVERED)], 0, {PUMP})
    appended = await log.append([new(BOILER, 1, DISCOVERED)], 0, {BOILER})
    assert (appended.first, appended.head, set(appended.changed or ())) == (2, 2, {PUMP})


async def test_an_append_that_looked_at_what_others_changed_is_stale(log: EventLog) -> None:
    await log.append([new(PUMP, 1, DISCOVERED)], 0, {PUMP})
    for events in ([new(BOILER, 1, DISCOVERED)], []):
        with pytest.raises(StaleError) as stale:
            await log.append(events, 0, {PUMP, BOILER})
        assert (stale.value.head, set(stale.value.changed or ())) == (1, {PUMP})
    assert await log.head() == 1


async def test_a_version_that_is_taken_makes_the_append_stale_and_everything_doubtful(log: EventLog) -> None:
    await log.append([new(BOILER, 1, DISCOVERED)], 0, set())
    with pytest.raises(StaleError) as stale:
        await log.append([new(PUMP, 1, DISCOVERED), new(BOILER, 1, DISCOVERED)], 1, set())
    assert stale.value.changed is None
    assert await log.head() == 1


async def test_a_turn_is_the_same_log(log: EventLog) -> None:
    async with log.turn() as own:
        await own.append([new(BOILER, 1, DISCOVERED)], 0, set())
    assert await log.head() == 1
    async with log.turn() as own:
        assert (await own.load([Ref(DEVICE, BOILER)]))[BOILER].version == 1


async def test_a_kept_snapshot_does_not_change_what_is_loaded(log: EventLog) -> None:
    await log.append([new(BOILER, 1, DISCOVERED)], 0, set())
    before = await log.load([Ref(DEVICE, BOILER)])
    await log.snapshot(before)
    await log.append([new(BOILER, 2, DeviceConnected(through="mqtt"))], 1, set())
    after = (await log.load([Ref(DEVICE, BOILER)]))[BOILER]
    assert (after.version, after.snapshot_version) == (2, 1)
    assert after.state == DEVICE.fold([DISCOVERED, DeviceConnected(through="mqtt")])
