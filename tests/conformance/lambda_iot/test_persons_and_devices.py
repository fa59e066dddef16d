"""Where what persons enter meets what devices announce: contract 3.2 rules 4, 5 and 10, 3.5, and 4.6 MQ13 to MQ17."""

from uuid import UUID

import pytest

from tests.conformance.lambda_iot.client import Api, is_error
from tests.conformance.lambda_iot.registry import KINDS, delete, new_device, new_part, put
from tests.fleet import MqttDevice, part, reading
from tests.product import Product

both = pytest.mark.parametrize("kind", KINDS)


def announced(device: MqttDevice, kind: str) -> UUID:
    return device.sensor() if kind == "sensor" else device.actor()


# Status


def test_MQ13_an_announcement_overrules_the_status_that_a_person_set(known: MqttDevice, person: Api) -> None:
    put(person, f"/devices/{known.id}", {"status_id": 4})
    person.sees_device(known, status_id=4)
    known.announce()
    person.sees_device(known, status_id=1)


@pytest.mark.parametrize("status_id", [2, 3, 4])
def test_a_status_that_a_person_set_outlasts_a_reading_but_not_presence(
    known: MqttDevice, person: Api, status_id: int
) -> None:
    put(person, f"/devices/{known.id}", {"status_id": status_id})
    known.report(reading(known.sensor(), 1))
    person.sees_values(known.sensor(), 1)
    assert person.post("/sensor-readings", {"sensor_id": str(known.sensor()), "value": 2}).status_code == 201
    assert person.device(known)["status_id"] == status_id
    known.say("online")
    person.sees_device(known, status_id=1)


def test_a_registered_device_that_announces_itself_is_the_same_device(product: Product, person: Api) -> None:
    with MqttDevice(product.urls["mqtt"]) as device:
        device.id = UUID(new_device(person, status_id=3))
        before = person.device(device)
        device.announce()
        after = person.sees_device(device, name="ESP", status_id=1)
        assert after["created_at"] == before["created_at"]
        person.sees_parts(device, {device.sensor()})


# Parts


@both
def test_MQ14_MQ17_a_part_that_a_person_made_is_never_retired(known: MqttDevice, person: Api, kind: str) -> None:
    ours = UUID(new_part(person, str(known.id), kind))
    known.announce(known.announcement(sensors=2, actors=2, name="two of each"))
    person.sees_device(known, name="two of each")
    assert len(person.parts_of(known, f"{kind}s")) == 3
    known.announce(known.announcement(sensors=0, actors=0, name="none"))
    person.sees_device(known, name="none")
    person.sees_parts(known, {ours}, f"{kind}s")


def test_a_part_that_a_person_made_and_its_device_announces_stays_a_persons(known: MqttDevice, person: Api) -> None:
    ours = UUID(new_part(person, str(known.id)))
    known.announce({**known.announcement(name="both"), "sensors": [part(ours, "announced")]})
    person.sees_device(known, name="both")
    assert [sensor["name"] for sensor in person.sees_parts(known, {ours})] == ["announced"]
    known.announce(known.announcement(sensors=0, name="none"))
    person.sees_device(known, name="none")
    person.sees_parts(known, {ours})


@both
def test_a_part_that_a_person_made_for_another_device_cannot_be_announced(
    known: MqttDevice, person: Api, kind: str
) -> None:
    path = f"/{kind}s/{new_part(person, new_device(person), kind)}"
    before = person.ok(path)
    message = known.announcement(name="thief")
    message[f"{kind}s"].append(part(before["id"], "mine now"))
    known.announce(message)
    known.announce(known.announcement(location="behind"))
    person.sees_device(known, location="behind", name="ESP")
    assert person.ok(path) == before


@both
def test_a_corrected_name_of_an_announced_part_lasts_until_its_next_announcement(
    known: MqttDevice, person: Api, kind: str
) -> None:
    path = f"/{kind}s/{announced(known, kind)}"
    name = person.ok(path)["name"]
    put(person, path, {"name": "ours"})
    assert person.ok(path)["name"] == "ours"
    known.announce(known.announcement(location="attic"))
    person.sees_device(known, location="attic")
    assert person.ok(path)["name"] == name


# Removed, and announced again


def test_a_removed_device_that_announces_itself_begins_anew_under_its_id(known: MqttDevice, person: Api) -> None:
    before = person.device(known), person.parts_of(known), person.parts_of(known, "actors")
    external = {"external_id": f"of {known.id}"}
    assert put(person, f"/devices/{known.id}", external).status_code == 200
    assert delete(person, f"/devices/{known.id}").status_code == 200
    is_error(person.get(f"/devices/{known.id}"), 404)
    assert (person.parts_of(known), person.parts_of(known, "actors")) == ([], [])
    known.announce()
    after = person.sees_device(known, name="ESP", status_id=1), person.parts_of(known), person.parts_of(known, "actors")
    assert after[0]["created_at"] > before[0]["created_at"]
    for old, new in zip(before[1] + before[2], after[1] + after[2], strict=True):
        assert new["id"] == old["id"]
        assert new["created_at"] > old["created_at"]
    # What it was called went with it.
    assert put(person, f"/devices/{new_device(person)}", external).status_code == 200
    known.report(reading(known.sensor(), 7))
    person.sees_values(known.sensor(), 7)


def test_a_removed_device_takes_its_retired_sensors_with_it(product: Product, device: MqttDevice, person: Api) -> None:
    device.announce(device.announcement(sensors=2))
    person.sees_device(device)
    device.announce(device.announcement(sensors=1, name="one"))
    person.sees_device(device, name="one")
    delete(person, f"/devices/{device.id}")
    # Nobody's any more, so that another device may have it.
    with MqttDevice(product.urls["mqtt"]) as other:
        other.announce({**other.announcement(), "sensors": [part(device.sensor(1), "found")]})
        person.sees_device(other)
        person.sees_parts(other, {device.sensor(1)})


@both
def test_a_removed_part_that_its_device_announces_begins_anew_under_its_id(
    known: MqttDevice, person: Api, kind: str
) -> None:
    path = f"/{kind}s/{announced(known, kind)}"
    before = person.ok(path)
    delete(person, path)
    known.announce(known.announcement(location="attic"))
    person.sees_device(known, location="attic")
    after = person.ok(path)
    assert after["created_at"] > before["created_at"]
    assert {**after, "created_at": 0, "updated_at": 0} == {**before, "created_at": 0, "updated_at": 0}


def test_nothing_is_heard_of_a_removed_device(known: MqttDevice, person: Api, product: Product) -> None:
    delete(person, f"/devices/{known.id}")
    known.say("online")
    known.say("offline")
    known.report(reading(known.sensor(), 1))
    with MqttDevice(product.urls["mqtt"]) as fence:
        known.announce(fence.announcement())
        person.sees_device(fence)
    is_error(person.get(f"/devices/{known.id}"), 404)
    assert person.values_of(known.sensor()) == []


def test_readings_of_a_removed_sensor_are_left_out_and_the_others_kept(device: MqttDevice, person: Api) -> None:
    device.announce(device.announcement(sensors=2))
    person.sees_device(device)
    delete(person, f"/sensors/{device.sensor(1)}")
    device.report(reading(device.sensor(0), 1), reading(device.sensor(1), 2))
    person.sees_values(device.sensor(0), 1)
    assert person.values_of(device.sensor(1)) == []


def test_MQ16_a_sensor_that_was_retired_and_not_removed_comes_back_as_it_was(known: MqttDevice, person: Api) -> None:
    (before,) = person.parts_of(known)
    known.announce(known.announcement(sensors=0))
    person.sees_parts(known, set())
    known.announce()
    (after,) = person.sees_parts(known, {known.sensor()})
    assert after["created_at"] == before["created_at"]
