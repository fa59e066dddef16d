"""Contract 4.6, presence (MQ37, MQ38), and its rules in 3.5."""

from typing import Any

import pytest

from tests.conformance.lambda_iot.client import Api
from tests.fleet import TOPIC, MqttDevice, reading
from tests.product import Product

STATUS = {
    "online": 1,
    "ready": 1,
    "init": 1,
    "ONLINE": 1,
    "Online": 1,
    "alert": 2,
    "offline": 4,
    "lost": 4,
    "disconnected": 4,
    "Offline": 4,
}


def test_MQ37_a_device_that_dies_is_offline_by_its_will(product: Product, person: Api) -> None:
    with MqttDevice(product.urls["mqtt"], will="offline") as device:
        device.announce()
        device.say("online")
        person.sees_device(device, status_id=1)
        device.die()
        person.sees_device(device, status_id=4)


def test_a_device_that_leaves_politely_sends_no_will(product: Product, person: Api, known: MqttDevice) -> None:
    with MqttDevice(product.urls["mqtt"], will="offline") as device:
        device.announce()
        device.say("online")
        person.sees_device(device, status_id=1)
    known.say("offline")
    person.sees_device(known, status_id=4)
    assert person.device(device)["status_id"] == 1


def test_MQ38_online_makes_the_status_one(known: MqttDevice, person: Api) -> None:
    known.say("offline")
    person.sees_device(known, status_id=4)
    known.say("online")
    person.sees_device(known, status_id=1)


@pytest.mark.parametrize("word", STATUS)
def test_every_word_has_its_status(known: MqttDevice, person: Api, word: str) -> None:
    known.say("offline" if STATUS[word] != 4 else "alert")
    person.sees_device(known, status_id=4 if STATUS[word] != 4 else 2)
    known.say(word)
    person.sees_device(known, status_id=STATUS[word])


def test_sleeping_keeps_status_one(known: MqttDevice, person: Api) -> None:
    known.say("sleeping")
    known.say("alert")
    person.sees_device(known, status_id=2)
    known.say("online")
    person.sees_device(known, status_id=1)
    known.say("sleeping")
    known.announce(known.announcement(name="fence"))
    person.sees_device(known, name="fence", status_id=1)


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"on line", b'{"a":1}', b"x" * 100_000, b"\x00", b"null"])
def test_a_word_that_means_nothing_changes_nothing(known: MqttDevice, person: Api, payload: Any) -> None:
    known.say("alert")
    person.sees_device(known, status_id=2)
    known.publish(f"{TOPIC}/{known.id}/status", payload)
    known.report(reading(known.sensor(), 1))
    person.sees_values(known.sensor(), 1)
    assert person.device(known)["status_id"] == 2
    known.say("lost")
    person.sees_device(known, status_id=4)


def test_the_presence_of_an_unknown_device_is_ignored(product: Product, device: MqttDevice, person: Api) -> None:
    device.say("online")
    device.say("offline")
    device.publish(f"{TOPIC}/not-a-uuid/status", b"online")
    device.announce()
    person.sees_device(device, status_id=1)


def test_a_reading_does_not_contradict_the_device_itself(known: MqttDevice, person: Api) -> None:
    known.say("alert")
    person.sees_device(known, status_id=2)
    known.report(reading(known.sensor(), 1))
    person.sees_values(known.sensor(), 1)
    assert person.device(known)["status_id"] == 2


def test_presence_updates_the_device_and_not_its_creation(known: MqttDevice, person: Api) -> None:
    before = person.device(known)
    known.say("offline")
    after = person.sees_device(known, status_id=4)
    assert after["created_at"] == before["created_at"]
    assert after["updated_at"] > before["updated_at"]
    assert {**after, "status_id": 1, "updated_at": before["updated_at"]} == before
