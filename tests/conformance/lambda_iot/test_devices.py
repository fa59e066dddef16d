"""Contract 4.2: reading the registry of devices. DE01 is in test_start.py, which has an empty store."""

import time
from uuid import UUID

import pytest

from tests.conformance.lambda_iot.client import DEVICE_KEYS, U0, Api, instant, is_error, seconds_ago
from tests.fleet import MqttDevice
from tests.product import Product
from tests.waiting import eventually

BOILERPLATE = "aa:bb:cc:dd:ee:ff"


def aliases(id: UUID) -> list[str]:
    return [f"{{{id}}}", f"urn:uuid:{id}", id.hex, f"%7B{id}%7D", str(id) + "0", str(id)[:-1], f"{id}%20"]


def test_the_list_of_devices_is_public_and_has_exactly_seven_keys(anybody: Api, known: MqttDevice) -> None:
    listed = {device["id"]: device for device in anybody.ok("/devices")}
    mine = listed[str(known.id)]
    assert set(mine) == DEVICE_KEYS
    assert {name: mine[name] for name in ("name", "description", "location", "status_id")} == {
        "name": "ESP",
        "description": "test",
        "location": "lab",
        "status_id": 1,
    }
    assert -1 < seconds_ago(mine["created_at"]) < 60
    assert instant(mine["updated_at"]) >= instant(mine["created_at"])
    assert type(mine["status_id"]) is int


def test_DE04_a_device_by_id_is_the_same_object(person: Api, anybody: Api, known: MqttDevice) -> None:
    assert person.device(known) in anybody.ok("/devices")


@pytest.mark.parametrize("id", ["not-a-uuid", "1", "3814fb88-565c-5dc8-9b91-60d4002b6edg", "null", "%00"])
def test_DE05_a_malformed_id_is_a_bad_request(person: Api, id: str) -> None:
    is_error(person.get(f"/devices/{id}"), 400, "invalid device ID")


def test_an_unknown_device_is_not_found(person: Api) -> None:
    is_error(person.get(f"/devices/{U0}"), 404, "resource not found")


def test_DE22_only_the_canonical_form_of_an_id_is_accepted(person: Api, known: MqttDevice) -> None:
    for alias in aliases(known.id):
        is_error(person.get(f"/devices/{alias}"), 400, "invalid device ID")


def test_an_id_in_capitals_is_the_same_id(person: Api, known: MqttDevice) -> None:
    assert person.ok(f"/devices/{str(known.id).upper()}") == person.device(known)


def test_DE23_a_discovered_device_is_found_by_its_derived_id(product: Product, person: Api) -> None:
    with MqttDevice(product.urls["mqtt"], mac=BOILERPLATE) as device:
        assert str(device.id) == "3814fb88-565c-5dc8-9b91-60d4002b6edc"
        device.announce()
        eventually(lambda: person.get("/devices/3814fb88-565c-5dc8-9b91-60d4002b6edc").status_code == 200)


@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_DE25_a_device_cannot_be_patched(person: Api, known: MqttDevice, method: str) -> None:
    answer = person.request(method, f"/devices/{known.id}", json={"name": "x"})
    is_error(answer, 405, "method not allowed")
    assert "GET" in answer.headers["allow"]
    assert method not in answer.headers["allow"]


@pytest.mark.parametrize("word", ["command", "query", "show"])
def test_DE26_a_word_of_the_connector_is_no_device_id(person: Api, word: str) -> None:
    is_error(person.get(f"/devices/{word}"), 400, "invalid device ID")


def test_devices_are_listed_in_the_order_of_their_creation(product: Product, anybody: Api, person: Api) -> None:
    made: list[str] = []
    for _ in range(3):
        with MqttDevice(product.urls["mqtt"]) as device:
            device.announce()
            person.sees_device(device)
            made.append(str(device.id))
            time.sleep(0.002)  # so that the creation times differ
    listed = [(device["created_at"], device["id"]) for device in anybody.ok("/devices")]
    assert [(instant(at), id) for at, id in listed] == sorted((instant(at), id) for at, id in listed)
    assert [id for _, id in listed if id in made] == made


def test_reads_and_writes_tell_their_position_in_the_log(person: Api, known: MqttDevice) -> None:
    before = int(person.get("/devices").headers["tidemark-position"])
    written = person.post("/sensor-readings", {"sensor_id": str(known.sensor()), "value": 1})
    after = int(written.headers["tidemark-position"])
    assert after > before
    listed = person.get("/sensor-readings", params={"sensor_id": str(known.sensor())})
    assert int(listed.headers["tidemark-position"]) >= after
    assert "tidemark-stale" not in listed.headers
