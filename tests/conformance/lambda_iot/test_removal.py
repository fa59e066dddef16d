"""Contract 4.2 DE20 and 1.3: what is removed takes its readings with it."""

import pytest

from tests.conformance.lambda_iot.client import Api, is_error
from tests.conformance.lambda_iot.registry import delete, new_device, new_part
from tests.fleet import MqttDevice, reading


@pytest.mark.parametrize("what", ["device", "sensor"])
def test_DE20_the_readings_of_a_removed_device_or_sensor_are_gone(person: Api, what: str) -> None:
    device = new_device(person)
    sensor, other = new_part(person, device), new_part(person, new_device(person))
    gone, kept = (person.post("/sensor-readings", {"sensor_id": id, "value": 1}).json()["id"] for id in (sensor, other))
    assert person.ok(f"/sensor-readings/{gone}")["value"] == 1
    delete(person, f"/{what}s/{device if what == 'device' else sensor}")
    is_error(person.get(f"/sensor-readings/{gone}"), 404, "resource not found")
    assert person.ok("/sensor-readings", params={"sensor_id": sensor}) == []
    assert person.ok(f"/sensor-readings/{kept}")["value"] == 1
    assert gone not in {one["id"] for one in person.ok("/sensor-readings", params={"limit": 1000})}


def test_a_sensor_that_begins_anew_begins_without_its_readings(known: MqttDevice, person: Api) -> None:
    known.report(reading(known.sensor(), 1))
    person.sees_values(known.sensor(), 1)
    delete(person, f"/devices/{known.id}")
    assert person.values_of(known.sensor()) == []
    known.announce()
    person.sees_device(known)
    known.report(reading(known.sensor(), 2))
    person.sees_values(known.sensor(), 2)
