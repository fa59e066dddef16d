"""Contract 4.6, discovery (MQ09 to MQ25), and the rules of 3.2 without a number of their own.

A refusal has no answer, so each is followed by a valid message on the same topic: when that one took effect, the
refused one had its chance. MQ25 is in test_start.py, which may restart its server.
"""

from collections.abc import Callable
from typing import Any
from uuid import NAMESPACE_DNS, UUID, uuid4, uuid5

import pytest

from tests.conformance.lambda_iot.client import Api
from tests.fleet import TOPIC, MqttDevice, part, random_mac, reading
from tests.product import Product

VECTORS = {
    "aa:bb:cc:dd:ee:ff": ("3814fb88-565c-5dc8-9b91-60d4002b6edc", "2e4abd8d-5d31-56b9-9bd9-84d9d7d57947"),
    "00:11:22:33:44:55": ("007c79f3-33f0-5a0c-9713-70921f69f8ce", "c5dceddc-2926-5cd0-af75-572b5078140e"),
}


Fence = Callable[[], None]


@pytest.fixture
def fence(product: Product, device: MqttDevice, person: Api) -> Fence:
    """Call it after messages of the device: returns when all of them have been dealt with."""

    def pass_through() -> None:
        other = MqttDevice(product.urls["mqtt"])
        device.announce(other.announcement(sensors=0, actors=0))
        person.sees_device(other)

    return pass_through


def without(message: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key not in keys}


def count(person: Api, device: MqttDevice) -> tuple[int, int, int]:
    devices = sum(one["id"] == str(device.id) for one in person.ok("/devices"))
    return devices, len(person.parts_of(device)), len(person.parts_of(device, "actors"))


def test_MQ09_an_announced_device_is_listed_with_its_sensors_and_actors(device: MqttDevice, person: Api) -> None:
    device.announce(device.announcement(sensors=2, actors=1, name="Boiler", description="heats", location="cellar"))
    person.sees_device(device, name="Boiler", description="heats", location="cellar", status_id=1)
    assert {UUID(one["id"]): one["name"] for one in person.parts_of(device)} == {
        device.sensor(0): "sensor 0",
        device.sensor(1): "sensor 1",
    }
    (actor,) = person.parts_of(device, "actors")
    assert (actor["id"], actor["type"], actor["data_type_id"]) == (str(device.actor()), "led", 2)


@pytest.mark.parametrize("status_id", [3, 4, 0, -1, "3", None, True, 1.5, {"a": 1}])
def test_MQ10_the_status_that_a_device_announces_is_not_believed(
    device: MqttDevice, person: Api, status_id: Any
) -> None:
    device.announce(device.announcement(status_id=status_id))
    person.sees_device(device, status_id=1)


def test_MQ11_the_same_message_again_changes_nothing(device: MqttDevice, person: Api, fence: Fence) -> None:
    device.announce()
    before = person.sees_device(device)
    parts = person.parts_of(device), person.parts_of(device, "actors")
    device.announce()
    fence()
    assert count(person, device) == (1, 1, 1)
    assert person.device(device)["created_at"] == before["created_at"]
    assert (person.parts_of(device), person.parts_of(device, "actors")) == parts


def test_a_known_device_is_updated_with_its_parts(device: MqttDevice, person: Api) -> None:
    device.announce()
    before = person.sees_device(device)
    message = device.announcement(name="New", description="other", location="attic")
    message["sensors"] = [part(device.sensor(), "renamed", "humidity", 7)]
    device.announce(message)
    after = person.sees_device(device, name="New", description="other", location="attic")
    assert after["created_at"] == before["created_at"]
    assert after["updated_at"] > before["updated_at"]
    (sensor,) = person.parts_of(device)
    assert (sensor["name"], sensor["type"], sensor["data_type_id"]) == ("renamed", "humidity", 7)


def test_texts_that_are_left_out_stay_as_they_were(device: MqttDevice, person: Api) -> None:
    device.announce(device.announcement(name="Boiler", description="heats", location="cellar"))
    person.sees_device(device)
    device.announce({"device": {"id": str(device.id), "location": "attic"}})
    person.sees_device(device, name="Boiler", description="heats", location="attic")
    assert count(person, device) == (1, 1, 1)


def test_a_new_device_without_texts_has_empty_ones(device: MqttDevice, person: Api) -> None:
    device.announce({"device": {"id": str(device.id)}})
    person.sees_device(device, name="", description="", location="", status_id=1)


def test_MQ13_an_announcement_brings_an_offline_device_back(known: MqttDevice, person: Api) -> None:
    known.say("offline")
    person.sees_device(known, status_id=4)
    known.announce()
    person.sees_device(known, status_id=1)


def test_MQ14_an_added_sensor_appears(known: MqttDevice, person: Api) -> None:
    (before,) = person.parts_of(known)
    known.announce(known.announcement(sensors=2))
    sensors = person.sees_parts(known, {known.sensor(0), known.sensor(1)})
    assert before in sensors


def test_MQ15_a_sensor_that_is_no_longer_announced_is_hidden_and_its_readings_stay(
    device: MqttDevice, person: Api
) -> None:
    _retire_the_second_of_two_sensors(device, person)
    assert person.get(f"/sensors/{device.sensor(1)}").status_code == 404
    assert person.values_of(device.sensor(1)) == [5]
    refused = person.post("/sensor-readings", {"sensor_id": str(device.sensor(1)), "value": 6})
    assert (refused.status_code, refused.json()) == (400, {"error": "sensor not found"})
    assert person.get(f"/actors/{device.actor()}").status_code == 200


def test_MQ16_a_sensor_that_is_announced_again_is_back_with_its_readings(device: MqttDevice, person: Api) -> None:
    made = _retire_the_second_of_two_sensors(device, person)
    device.announce(device.announcement(sensors=2))
    person.sees_parts(device, {device.sensor(0), device.sensor(1)})
    assert person.ok(f"/sensors/{device.sensor(1)}")["created_at"] == made["created_at"]
    device.report(reading(device.sensor(1), 6))
    person.sees_values(device.sensor(1), 5, 6)


def test_MQ17_a_list_that_is_left_out_leaves_what_is_known(known: MqttDevice, person: Api) -> None:
    before = person.parts_of(known), person.parts_of(known, "actors")
    known.announce(without(known.announcement(name="Other"), "sensors", "actors"))
    person.sees_device(known, name="Other")
    assert (person.parts_of(known), person.parts_of(known, "actors")) == before
    known.announce(without(known.announcement(name="Third", actors=0), "sensors"))
    person.sees_device(known, name="Third")
    assert (person.parts_of(known), person.parts_of(known, "actors")) == (before[0], [])


def test_an_empty_list_retires_all(known: MqttDevice, person: Api) -> None:
    known.announce(known.announcement(sensors=0, actors=0))
    person.sees_parts(known, set())
    person.sees_parts(known, set(), "actors")
    assert person.device(known)["status_id"] == 1


@pytest.mark.parametrize("mac", VECTORS)
def test_MQ19_ids_derived_by_the_rule_are_accepted(product: Product, person: Api, mac: str) -> None:
    with MqttDevice(product.urls["mqtt"], mac=mac) as device:
        assert (str(device.id), str(device.sensor())) == VECTORS[mac]
        device.announce()
        person.sees_device(device, name="ESP")
        assert person.ok(f"/sensors/{VECTORS[mac][1]}")["device_id"] == VECTORS[mac][0]


def test_ids_need_not_follow_the_rule(device: MqttDevice, person: Api) -> None:
    device.id = uuid4()
    message = device.announcement(sensors=0)
    message["sensors"] = [part(sensor := uuid4(), "free")]
    device.announce(message)
    person.sees_device(device)
    person.sees_parts(device, {sensor})


@pytest.mark.parametrize("form", ["AA-BB-CC-DD-EE-FF", "aa:bb:cc:dd:ee:ff", "aabbccddeeff", "AABBCCDDEEFF"])
@pytest.mark.parametrize("id", [None, "", "absent"])
def test_MQ20_without_an_id_it_is_derived_from_the_mac(
    product: Product, person: Api, form: str, id: str | None
) -> None:
    with MqttDevice(product.urls["mqtt"], mac="aa:bb:cc:dd:ee:ff") as device:
        message = device.announcement(name=(name := uuid4().hex), id=id)
        if id == "absent":
            del message["device"]["id"]
        device.announce({**message, "mac_address": form})
        assert person.sees_device(device, name=name)["id"] == "3814fb88-565c-5dc8-9b91-60d4002b6edc"


def test_a_device_object_may_be_left_out_when_there_is_a_mac(device: MqttDevice, person: Api) -> None:
    device.announce(without(device.announcement(), "device"))
    person.sees_device(device, name="", status_id=1)
    person.sees_parts(device, {device.sensor()})


def test_neither_id_nor_mac_is_refused(device: MqttDevice, person: Api, fence: Fence) -> None:
    name = uuid4().hex
    for mac in ("absent", "", None, "zz:zz:zz:zz:zz:zz", "aa:bb", 5):
        message = without(device.announcement(name=name), "mac_address")
        del message["device"]["id"]
        device.announce(message if mac == "absent" else {**message, "mac_address": mac})
    fence()
    assert not [one for one in person.ok("/devices") if one["name"] == name]


def test_the_device_topic_takes_discovery_too(device: MqttDevice, person: Api) -> None:
    device.publish(f"{TOPIC}/{device.id}/discovery", device.announcement())
    person.sees_device(device)


def test_a_device_may_report_right_behind_its_announcement(device: MqttDevice, person: Api) -> None:
    device.announce()
    device.report(reading(device.sensor(), 1))
    device.say("online")
    device.report(reading(device.sensor(), 2))
    person.sees_values(device.sensor(), 1, 2)


def wrong(device: MqttDevice) -> dict[str, Any]:
    """Announcements that break a rule, each of which would otherwise rename the device and drop its sensor."""
    ours = device.announcement(name="wrong")

    def sensors(*parts: Any) -> dict[str, Any]:
        return {**ours, "sensors": list(parts)}

    good = part(uuid4(), "new")
    return {
        "duplicate ids": sensors(part(device.sensor(), "a"), part(device.sensor(), "b")),
        "same id as sensor and actor": {**ours, "actors": [part(device.sensor(), "both")]},
        "own id as sensor": sensors(part(device.id, "self")),
        "sensors no list": {**ours, "sensors": {"id": "x"}},
        "sensor no object": sensors(good, "x"),
        "sensor id malformed": sensors(good, part("abc", "x")),
        "sensor id in braces": sensors(good, part(f"{{{uuid4()}}}", "x")),
        "sensor id missing": sensors(good, without(part(uuid4(), "x"), "id")),
        "name a number": sensors(good, part(uuid4(), 5)),  # type: ignore[arg-type]
        "name null": sensors(good, {**part(uuid4(), "x"), "name": None}),
        "data type zero": sensors(good, part(uuid4(), "x", data_type_id=0)),
        "data type negative": sensors(good, part(uuid4(), "x", data_type_id=-1)),
        "data type a text": sensors(good, part(uuid4(), "x", data_type_id="1")),
        "data type true": sensors(good, part(uuid4(), "x", data_type_id=True)),
        "data type a fraction": sensors(good, part(uuid4(), "x", data_type_id=1.5)),
        "data type huge": sensors(good, part(uuid4(), "x", data_type_id=2**63)),
        "device no object": {**ours, "device": [1]},
        "device id malformed": {**ours, "device": {**ours["device"], "id": "abc"}},
        "device id a number": {**ours, "device": {**ours["device"], "id": 5}},
        "device name a number": device.announcement(name=5),
        "257 sensors": sensors(*(part(uuid4(), "x") for _ in range(257))),
    }


@pytest.mark.parametrize("case", wrong(MqttDevice("mqtt://nobody")))
def test_a_message_that_breaks_a_rule_changes_nothing(known: MqttDevice, person: Api, fence: Fence, case: str) -> None:
    before = person.device(known), person.parts_of(known), person.parts_of(known, "actors")
    known.announce(wrong(known)[case])
    fence()
    assert (person.device(known), person.parts_of(known), person.parts_of(known, "actors")) == before


def test_256_entries_are_accepted(device: MqttDevice, person: Api) -> None:
    device.announce(device.announcement(sensors=200, actors=56))
    person.sees_device(device)
    assert count(person, device) == (1, 200, 56)


def test_MQ22_rubbish_changes_nothing_and_the_next_message_works(device: MqttDevice, person: Api, fence: Fence) -> None:
    before = {one["id"] for one in person.ok("/devices")}
    for rubbish in (
        b"{{{",
        b"[]",
        b'""',
        b"",
        b"null",
        b"5",
        b"{}",
        b"\xff\xfe\x00",
        b'{"device":{"id":"\xff"}}',
        b"a" * 1024 * 1024,
        b"[" * 60_000,
        b'{"device":' * 10_000,
    ):
        device.publish(f"{TOPIC}/discovery", rubbish)
    fence()
    device.announce()
    person.sees_device(device)
    known_before = {one["id"] for one in person.ok("/devices")} - before
    assert str(device.id) in known_before


def test_more_than_64_kib_are_dropped(device: MqttDevice, person: Api, fence: Fence) -> None:
    device.announce(device.announcement(description="x" * 65_536))
    fence()
    assert person.get(f"/devices/{device.id}").status_code == 404


@pytest.mark.parametrize("text", ["a\0b", "\ud800"], ids=["NUL", "lone surrogate"])
def test_a_text_that_no_table_can_hold_stops_nothing(device: MqttDevice, person: Api, fence: Fence, text: str) -> None:
    device.announce(device.announcement(name=text))
    message = device.announcement()
    message["sensors"] = [part(device.sensor(), text, text)]
    device.announce(message)
    fence()
    device.announce(device.announcement(name="good"))
    person.sees_device(device, name="good")


def test_any_other_text_is_kept_as_it_is(device: MqttDevice, person: Api) -> None:
    name = '<b onerror="x">&é漢🛰\u2028\\N\t\'; DROP TABLE devices; --'
    message = device.announcement(name=name, description="\\.", location="\r\n")
    message["sensors"] = [part(device.sensor(), name, "\\N")]
    device.announce(message)
    person.sees_device(device, name=name, description="\\.", location="\r\n")
    (sensor,) = person.parts_of(device)
    assert (sensor["name"], sensor["type"]) == (name, "\\N")


def test_MQ23_a_sensor_of_another_device_cannot_be_taken(
    product: Product, known: MqttDevice, person: Api, fence: Fence
) -> None:
    before = person.parts_of(known), person.parts_of(known, "actors")
    with MqttDevice(product.urls["mqtt"]) as thief:
        for key, stolen in (("sensors", known.sensor()), ("actors", known.actor())):
            message = thief.announcement(sensors=1, actors=1)
            message[key].append(part(stolen, "mine now"))
            known.announce(message)
        fence()
        assert person.get(f"/devices/{thief.id}").status_code == 404
        assert person.get(f"/sensors/{thief.sensor()}").status_code == 404
    assert (person.parts_of(known), person.parts_of(known, "actors")) == before


def test_a_retired_sensor_of_another_device_cannot_be_taken_either(
    product: Product, known: MqttDevice, person: Api, fence: Fence
) -> None:
    known.announce(known.announcement(sensors=0))
    person.sees_parts(known, set())
    with MqttDevice(product.urls["mqtt"]) as thief:
        message = thief.announcement()
        message["sensors"].append(part(known.sensor(), "mine now"))
        known.announce(message)
        fence()
        assert person.get(f"/devices/{thief.id}").status_code == 404


def test_a_device_cannot_take_the_id_of_a_sensor(
    product: Product, known: MqttDevice, person: Api, fence: Fence
) -> None:
    before = person.parts_of(known)
    known.announce({"device": {"id": str(known.sensor()), "name": "I am a sensor"}})
    fence()
    assert person.get(f"/devices/{known.sensor()}").status_code == 404
    assert person.parts_of(known) == before


def test_clearing_a_retained_announcement_is_ignored(known: MqttDevice, person: Api, fence: Fence) -> None:
    before = person.device(known)
    known.announce(retain=True)
    known.publish(f"{TOPIC}/discovery", b"", retain=True)
    fence()
    assert person.device(known)["created_at"] == before["created_at"]
    assert count(person, known) == (1, 1, 1)


def test_an_id_in_capitals_is_the_same_device(known: MqttDevice, person: Api) -> None:
    message = known.announcement(id=str(known.id).upper(), name="LOUD")
    message["sensors"][0]["id"] = str(known.sensor()).upper()
    known.announce(message)
    person.sees_device(known, name="LOUD")
    assert count(person, known) == (1, 1, 1)


def test_the_mac_is_stored_but_not_shown(known: MqttDevice, person: Api) -> None:
    assert known.mac.replace(":", "") not in str(person.device(known)).replace(":", "")


def test_ids_come_from_any_mac_by_the_rule(product: Product, person: Api) -> None:
    mac = random_mac()
    with MqttDevice(product.urls["mqtt"], mac=mac) as device:
        device.announce({"mac_address": mac.upper().replace(":", "-")})
        person.sees_device(device)
        assert device.id == uuid5(NAMESPACE_DNS, mac.replace(":", ""))


def _retire_the_second_of_two_sensors(device: MqttDevice, person: Api) -> dict[str, Any]:
    device.announce(device.announcement(sensors=2))
    person.sees_device(device)
    made = person.ok(f"/sensors/{device.sensor(1)}")
    device.report(reading(device.sensor(1), 5))
    person.sees_values(device.sensor(1), 5)
    device.announce(device.announcement(sensors=1))
    person.sees_parts(device, {device.sensor(0)})
    assert isinstance(made, dict)
    return made
