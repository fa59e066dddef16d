from datetime import UTC, datetime
from uuid import UUID

import pytest

from domain.devices.readings import READINGS, Reading, ReadingsRecorded, record
from domain.identifiers import VALUES_PER_EVENT, reading_id
from tests.domain.specification import given

DEVICE = UUID("3814fb88-565c-5dc8-9b91-60d4002b6edc")
SENSOR = UUID("2e4abd8d-5d31-56b9-9bd9-84d9d7d57947")


def readings(count: int) -> tuple[Reading, ...]:
    return tuple(Reading(sensor_id=SENSOR, value=float(n)) for n in range(count))


def test_values_that_arrived_together_are_one_event() -> None:
    two = readings(2)
    assert record(DEVICE, two) == [ReadingsRecorded(device_id=DEVICE, readings=two)]


def test_the_time_of_the_device_is_kept() -> None:
    at = datetime(2026, 1, 14, 10, tzinfo=UTC)
    (recorded,) = record(DEVICE, [Reading(sensor_id=SENSOR, value=22.5, value_at=at)])
    assert isinstance(recorded, ReadingsRecorded)
    assert recorded.readings[0].value_at == at


def test_nothing_measured_records_nothing() -> None:
    assert record(DEVICE, ()) == []


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (VALUES_PER_EVENT, [VALUES_PER_EVENT]),
        (VALUES_PER_EVENT + 1, [VALUES_PER_EVENT, 1]),
        (2 * VALUES_PER_EVENT, [VALUES_PER_EVENT, VALUES_PER_EVENT]),
    ],
)
def test_more_than_an_events_worth_is_cut_in_order(count: int, sizes: list[int]) -> None:
    measured = readings(count)
    events = [event for event in record(DEVICE, measured) if isinstance(event, ReadingsRecorded)]
    assert [len(event.readings) for event in events] == sizes
    assert tuple(reading for event in events for reading in event.readings) == measured


def test_the_ids_of_readings_are_unique_and_grow_with_position_and_index() -> None:
    ids = [reading_id(position, index) for position in (1, 2, 3) for index in (0, 1, VALUES_PER_EVENT - 1)]
    assert ids == sorted(set(ids))
    assert ids[0] >= 1


def test_a_day_of_readings_takes_the_next_without_looking_back() -> None:
    assert READINGS.tail == 0
    assert given(READINGS, ReadingsRecorded(device_id=DEVICE, readings=readings(3))).state is None
