"""Contract 4.3 and 4.4: reading sensors and actors, which live by the same rules."""

import pytest

from tests.conformance.lambda_iot.client import PART_KEYS, U0, Api, instant, is_error, seconds_ago
from tests.conformance.lambda_iot.test_devices import aliases
from tests.fleet import MqttDevice

KINDS = ("sensors", "actors")


def test_SE02_every_sensor_has_exactly_seven_keys(person: Api, known: MqttDevice) -> None:
    (mine,) = person.parts_of(known)
    assert {name: mine[name] for name in ("id", "device_id", "name", "type", "data_type_id")} == {
        "id": str(known.sensor()),
        "device_id": str(known.id),
        "name": "sensor 0",
        "type": "temp",
        "data_type_id": 1,
    }
    assert all(set(sensor) == PART_KEYS for sensor in person.ok("/sensors"))
    assert -1 < seconds_ago(mine["created_at"]) < 60
    assert instant(mine["updated_at"]) >= instant(mine["created_at"])


def test_a_sensor_by_id_is_the_same_object(person: Api, known: MqttDevice) -> None:
    assert [person.ok(f"/sensors/{known.sensor()}")] == person.parts_of(known)


def test_AC02_actors_are_listed_and_found_with_seven_keys(person: Api, known: MqttDevice) -> None:
    (mine,) = person.parts_of(known, "actors")
    assert set(mine) == PART_KEYS
    assert (mine["name"], mine["type"], mine["data_type_id"]) == ("actor 0", "led", 2)
    assert person.ok(f"/actors/{known.actor()}") == mine


def test_AC14_a_sensor_is_no_actor(person: Api, known: MqttDevice) -> None:
    is_error(person.get(f"/actors/{known.sensor()}"), 404, "resource not found")
    is_error(person.get(f"/sensors/{known.actor()}"), 404, "resource not found")
    is_error(person.get(f"/devices/{known.sensor()}"), 404, "resource not found")


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_one_is_not_found(person: Api, kind: str) -> None:
    is_error(person.get(f"/{kind}/{U0}"), 404, "resource not found")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("id", ["not-a-uuid", "0", "%00"])
def test_a_malformed_id_is_a_bad_request(person: Api, kind: str, id: str) -> None:
    is_error(person.get(f"/{kind}/{id}"), 400, f"invalid {kind[:-1]} ID")


def test_only_the_canonical_form_of_an_id_is_accepted(person: Api, known: MqttDevice) -> None:
    for alias in aliases(known.sensor()):
        is_error(person.get(f"/sensors/{alias}"), 400, "invalid sensor ID")
    for alias in aliases(known.actor()):
        is_error(person.get(f"/actors/{alias}"), 400, "invalid actor ID")


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_listed_by_creation_then_id(person: Api, device: MqttDevice, kind: str) -> None:
    device.announce(device.announcement(sensors=5, actors=5))
    person.sees_device(device)
    listed = [(instant(part["created_at"]), part["id"]) for part in person.ok(f"/{kind}")]
    assert listed == sorted(listed)
    assert len(person.parts_of(device, kind)) == 5
