"""Contract 4.6, readings (MQ33 to MQ36), and the rules of 3.5 without a number of their own."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.conformance.lambda_iot.client import Api, instant, seconds_ago
from tests.fleet import TOPIC, MqttDevice, reading
from tests.product import Product
from tests.waiting import eventually

AT = "2026-01-14T10:00:00Z"

# Values from here on stand for "everything before has been dealt with".
MARKERS = 2**45


Fence = Callable[[], None]


@pytest.fixture
def fence(known: MqttDevice, person: Api) -> Fence:
    """Call it after messages on the device's readings topic: returns when all of them have been dealt with."""

    def pass_through() -> None:
        marker = MARKERS + int(uuid4()) % 2**40
        known.report(reading(known.sensor(), marker))
        eventually(lambda: marker in person.values_of(known.sensor()))

    return pass_through


def real_values(person: Api, known: MqttDevice) -> list[float]:
    return [value for value in person.values_of(known.sensor()) if not MARKERS <= value < 2 * MARKERS]


def test_one_reading_is_an_object(known: MqttDevice, person: Api) -> None:
    known.report(reading(known.sensor(), 22.5, AT))
    person.sees_values(known.sensor(), 22.5)
    (one,) = person.readings_of(known.sensor())
    assert one["value_at"] == AT
    assert one["sensor_id"] == str(known.sensor())
    assert person.ok(f"/sensor-readings/{one['id']}") == one


def test_without_a_time_of_its_own_a_reading_has_the_time_of_its_arrival(known: MqttDevice, person: Api) -> None:
    known.report(reading(known.sensor(), 1))
    person.sees_values(known.sensor(), 1)
    assert -1 < seconds_ago(person.readings_of(known.sensor())[0]["value_at"]) < 30


@pytest.mark.parametrize("type", ["sensor_reading", None])
def test_the_type_may_be_told(known: MqttDevice, person: Api, type: str | None) -> None:
    known.report(reading(known.sensor(), 1, **({"type": type} if type else {})))
    person.sees_values(known.sensor(), 1)


def test_the_shared_readings_topic_works_too(known: MqttDevice, person: Api) -> None:
    known.report(reading(known.sensor(), 1), topic=f"{TOPIC}/readings")
    known.report(reading(known.sensor(), 2), reading(known.sensor(), 3), topic=f"{TOPIC}/readings")
    person.sees_values(known.sensor(), 1, 2, 3)


def test_on_the_main_topic_an_object_must_say_that_it_is_a_reading(
    known: MqttDevice, person: Api, fence: Fence
) -> None:
    known.report(reading(known.sensor(), 1), topic=TOPIC)
    known.report(reading(known.sensor(), 2, type="something_else"), topic=TOPIC)
    known.report(reading(known.sensor(), 3, type="sensor_reading"), topic=TOPIC)
    eventually(lambda: 3 in person.values_of(known.sensor()))
    fence()
    assert real_values(person, known) == [3]


def test_the_shared_topic_takes_readings_of_several_devices(product: Product, known: MqttDevice, person: Api) -> None:
    with MqttDevice(product.urls["mqtt"]) as other:
        other.announce()
        person.sees_device(other)
        known.report(reading(known.sensor(), 1), reading(other.sensor(), 2), topic=f"{TOPIC}/readings")
        person.sees_values(known.sensor(), 1)
        person.sees_values(other.sensor(), 2)


def test_500_readings_fit_into_one_message(known: MqttDevice, person: Api) -> None:
    known.report(*[reading(known.sensor(), number) for number in range(500)])
    person.sees_values(known.sensor(), *[float(number) for number in range(500)])
    ids = [one["id"] for one in person.readings_of(known.sensor(), limit=1000)]
    assert len(set(ids)) == 500


def test_MQ34_of_an_array_only_the_bad_ones_are_left_out_and_counted(
    known: MqttDevice, person: Api, product: Product
) -> None:
    before = rejected(product)
    known.report(reading(known.sensor(), 1), reading(uuid4(), 2), reading(known.sensor(), 3))
    person.sees_values(known.sensor(), 1, 3)
    eventually(lambda: rejected(product) > before)


def rejected(product: Product) -> float:
    """What `/metrics` counts as rejected, whatever the counter is called in full."""
    counted = 0.0
    for line in httpx.get(f"{product.api}/metrics", timeout=10).text.splitlines():
        metric, _, value = line.rpartition(" ")
        if not line.startswith("#") and "reject" in metric and not metric.partition("{")[0].endswith("_created"):
            counted += float(value)
    return counted


def test_MQ35_the_same_reading_delivered_twice_is_one_row(known: MqttDevice, person: Api, fence: Fence) -> None:
    for _ in range(3):
        known.report(reading(known.sensor(), 22.5, AT))
    fence()
    known.report(reading(known.sensor(), 22.5, "2026-01-14T11:00:00+01:00"))
    fence()
    assert real_values(person, known) == [22.5]


def test_the_same_reading_twice_in_one_array_is_one_row(known: MqttDevice, person: Api, fence: Fence) -> None:
    known.report(*[reading(known.sensor(), 22.5, AT)] * 3, reading(known.sensor(), 1, "2026-01-14T10:00:01Z"))
    fence()
    assert sorted(real_values(person, known)) == [1, 22.5]


def test_of_two_values_for_one_instant_the_first_stands(known: MqttDevice, person: Api, fence: Fence) -> None:
    known.report(reading(known.sensor(), 1, AT))
    known.report(reading(known.sensor(), 2, AT))
    known.report(reading(known.sensor(), 3, "2026-01-14T09:00:00Z"))
    known.report(reading(known.sensor(), 4, "2026-01-14T09:00:00Z"))
    fence()
    assert sorted(real_values(person, known)) == [1, 3]


def test_without_a_time_equal_readings_are_different_ones(known: MqttDevice, person: Api) -> None:
    for _ in range(3):
        known.report(reading(known.sensor(), 7))
    person.sees_values(known.sensor(), 7, 7, 7)


def test_a_backlog_in_any_order_is_sorted_by_the_time_of_the_device(known: MqttDevice, person: Api) -> None:
    hours = [5, 1, 4, 2, 3]
    known.report(*[reading(known.sensor(), hour, f"2026-01-14T0{hour}:00:00Z") for hour in hours])
    person.sees_values(known.sensor(), *map(float, hours))
    assert person.values_of(known.sensor()) == sorted(hours)


def test_MQ36_a_device_reports_its_own_sensors_only(
    product: Product, known: MqttDevice, person: Api, fence: Fence
) -> None:
    with MqttDevice(product.urls["mqtt"]) as other:
        other.announce()
        person.sees_device(other)
        known.report(reading(other.sensor(), 66), reading(known.sensor(), 1))
        fence()
        assert real_values(person, known) == [1]
        assert person.values_of(other.sensor()) == []


def test_ids_of_other_things_are_left_out_like_unknown_ones(known: MqttDevice, person: Api) -> None:
    others = [reading(known.actor(), 66), reading(known.id, 66)]
    known.report(others[0], reading(known.sensor(), 1), others[1])
    known.report(*others)
    known.report(reading(known.sensor(), 2))
    person.sees_values(known.sensor(), 1, 2)


def test_readings_of_a_retired_sensor_are_left_out(known: MqttDevice, person: Api) -> None:
    known.announce(known.announcement(sensors=2))
    person.sees_parts(known, {known.sensor(0), known.sensor(1)})
    known.announce(known.announcement(sensors=1))
    person.sees_parts(known, {known.sensor(0)})
    known.report(reading(known.sensor(1), 1), reading(known.sensor(0), 2))
    person.sees_values(known.sensor(0), 2)
    assert person.values_of(known.sensor(1)) == []


BAD_READINGS: dict[str, Any] = {
    "text": {"value": "22.5"},
    "true": {"value": True},
    "null": {"value": None},
    "object": {"value": {}},
    "huge": {"value": 10**400},
    "sensor a number": {"sensor_id": 5},
    "sensor malformed": {"sensor_id": "abc"},
    "time without zone": {"value_at": "2026-01-14T10:00:00"},
    "time a number": {"value_at": 1768384800},
    "date only": {"value_at": "2026-01-14"},
    "time before all time": {"value_at": "0001-01-01T00:00:00+14:00"},
    "time after all time": {"value_at": "9999-12-31T23:59:59-14:00"},
}


@pytest.mark.parametrize("case", BAD_READINGS)
def test_a_bad_reading_is_left_out_and_its_neighbours_are_kept(
    known: MqttDevice, person: Api, fence: Fence, case: str
) -> None:
    bad = {**reading(known.sensor(), 66), **BAD_READINGS[case]}
    known.report(bad)
    known.report(reading(known.sensor(), 1), bad, reading(known.sensor(), 2))
    fence()
    assert sorted(real_values(person, known)) == [1, 2]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_what_is_no_json_number_is_never_stored(known: MqttDevice, person: Api, fence: Fence, number: str) -> None:
    one = f'{{"sensor_id":"{known.sensor()}","value":{number}}}'
    known.publish(f"{TOPIC}/{known.id}/readings", one.encode())
    known.publish(f"{TOPIC}/{known.id}/readings", f"[{one}]".encode())
    fence()
    assert real_values(person, known) == []


def test_rubbish_changes_nothing_and_the_next_reading_works(known: MqttDevice, person: Api, fence: Fence) -> None:
    for rubbish in (
        b"",
        b"{{{",
        b"[]",
        b"{}",
        b"[[]]",
        b'[1,"x",null]',
        b'"x"',
        b"null",
        b"22.5",
        b"\xff\xfe",
        b"\x00",
        b"a" * 1024 * 1024,
        b"[" * 60_000,
    ):
        known.publish(f"{TOPIC}/{known.id}/readings", rubbish)
        known.publish(f"{TOPIC}/readings", rubbish)
        known.publish(TOPIC, rubbish)
    fence()
    assert real_values(person, known) == []


@pytest.mark.parametrize("value_at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2050-01-01T00:00:00Z"])
def test_the_clock_of_a_device_may_be_wrong(known: MqttDevice, person: Api, value_at: str) -> None:
    known.report(reading(known.sensor(), 1, value_at))
    person.sees_values(known.sensor(), 1)
    assert instant(person.readings_of(known.sensor())[0]["value_at"]) == instant(value_at)
    known.report(reading(known.sensor(), 2))
    person.sees_values(known.sensor(), 1, 2)


@pytest.mark.parametrize("value", [0, -0.0, 5e-324, 1.7976931348623157e308, -1e300, 2**53 + 1])
def test_extreme_values_come_through(known: MqttDevice, person: Api, value: float) -> None:
    known.report(reading(known.sensor(), value))
    person.sees_values(known.sensor(), float(value))


def test_readings_from_an_unannounced_device_are_not_stored(product: Product, device: MqttDevice, person: Api) -> None:
    device.report(reading(device.sensor(), 66))
    device.announce()
    person.sees_device(device)
    device.report(reading(device.sensor(), 1))
    person.sees_values(device.sensor(), 1)


def test_a_reading_is_visible_soon(known: MqttDevice, person: Api) -> None:
    """The measure is in `make bench`; here only that nothing waits on a timer of seconds."""
    known.report(reading(known.sensor(), 0))
    person.sees_values(known.sensor(), 0)
    started = datetime.now().astimezone()
    for number in range(1, 6):
        known.report(reading(known.sensor(), number))
        eventually(lambda number=number: number in person.values_of(known.sensor()), pause=0.002)
    assert (datetime.now().astimezone() - started).total_seconds() < 5
