"""Contract 4.2: making, changing and removing devices. Reading them is in test_devices.py."""

from typing import Any

import pytest

from tests.conformance.lambda_iot.client import DEVICE_KEYS, U0, Api, instant, is_error, seconds_ago
from tests.conformance.lambda_iot.registry import DEVICE, delete, id_of, new_device, new_part, put, without
from tests.fleet import MqttDevice

TEXTS = ("name", "description", "location")
NO_STATUS = ["1", True, False, 1.5, 1.0, [1], {"a": 1}, 0, 5, -1, 2**63, 10**400]
NO_TEXT = [5, True, ["x"], {"a": 1}, "x" * 1001, "a\0b"]
NO_OBJECT = [b"", b"{", b"[]", b'"x"', b"null", b'{"name":NaN}', b"\xff"]


def test_DE02_a_device_is_made_and_answers_with_a_random_id(person: Api) -> None:
    made = person.post("/devices", DEVICE)
    assert made.status_code == 201
    device = person.ok(f"/devices/{id_of(made)}")
    assert set(device) == DEVICE_KEYS
    assert {name: device[name] for name in DEVICE} == DEVICE
    assert device["created_at"] == device["updated_at"]
    assert -1 < seconds_ago(device["created_at"]) < 60
    assert int(made.headers["tidemark-position"]) > 0


def test_the_next_list_has_the_new_device(person: Api, anybody: Api) -> None:
    id = new_device(person)
    assert person.ok(f"/devices/{id}") in anybody.ok("/devices")


def test_the_same_device_twice_is_two_devices(person: Api) -> None:
    assert new_device(person) != new_device(person)


@pytest.mark.parametrize("name", [*TEXTS, "status_id"])
def test_DE07_every_field_is_required(person: Api, name: str) -> None:
    is_error(person.post("/devices", without(DEVICE, name)), 400, f"{name} is required")
    is_error(person.post("/devices", {**DEVICE, name: None}), 400, f"{name} is required")


@pytest.mark.parametrize("name", TEXTS)
def test_DE08_a_text_is_not_empty(person: Api, name: str) -> None:
    is_error(person.post("/devices", {**DEVICE, name: ""}), 400, f"{name} is required")


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", NO_TEXT, ids=lambda value: str(value)[:12])
def test_what_is_no_text_is_refused(person: Api, name: str, value: Any) -> None:
    is_error(person.post("/devices", {**DEVICE, name: value}), 400, f"invalid {name}")


def test_a_text_may_have_a_thousand_characters_of_any_kind(person: Api) -> None:
    name = ('<b onerror="x">&é漢🛰\u2028\\N\t\'; DROP TABLE devices; --' * 20)[:1000]
    assert person.ok(f"/devices/{new_device(person, name=name)}")["name"] == name


@pytest.mark.parametrize("status_id", [1, 2, 3, 4])
def test_DE10_a_device_is_made_with_each_status(person: Api, status_id: int) -> None:
    assert person.ok(f"/devices/{new_device(person, status_id=status_id)}")["status_id"] == status_id


@pytest.mark.parametrize("status_id", NO_STATUS, ids=lambda value: str(value)[:12])
def test_DE11_any_other_status_is_refused(person: Api, status_id: Any) -> None:
    is_error(person.post("/devices", {**DEVICE, "status_id": status_id}), 400, "invalid status_id")


@pytest.mark.parametrize("body", NO_OBJECT)
def test_what_is_no_object_is_refused(person: Api, body: bytes) -> None:
    is_error(person.post("/devices", body), 400, "invalid request body")
    is_error(put(person, f"/devices/{new_device(person)}", body), 400, "invalid request body")


def test_unknown_fields_are_ignored_the_id_among_them(person: Api) -> None:
    id = new_device(person, id=U0, created_at="2020-01-01T00:00:00Z", more=[1])
    assert id != U0
    assert put(person, f"/devices/{id}", {"id": U0, "created_at": "x"}).status_code == 200
    assert instant(person.ok(f"/devices/{id}")["created_at"]).year > 2020


def test_a_body_counts_as_json_whatever_its_type(person: Api) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b'{"name":"a","description":"b","location":"c","status_id":1}'
    assert person.post("/devices", body, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("name", "value"), [("name", "n"), ("description", "d"), ("location", "Attic"), ("status_id", 3)]
)
def test_DE13_one_field_is_changed_and_the_others_stay(person: Api, name: str, value: Any) -> None:
    id = new_device(person)
    before = person.ok(f"/devices/{id}")
    answer = put(person, f"/devices/{id}", {name: value})
    assert (answer.status_code, answer.json()) == (200, {"message": "device updated"})
    after = person.ok(f"/devices/{id}")
    assert instant(after["updated_at"]) > instant(before["updated_at"])
    assert after == {**before, name: value, "updated_at": after["updated_at"]}


@pytest.mark.parametrize("body", [{}, dict.fromkeys(DEVICE), DEVICE, {"unknown": 1}], ids=str)
def test_DE14_a_change_that_says_nothing_new_changes_nothing(person: Api, body: Any) -> None:
    id = new_device(person)
    before = person.ok(f"/devices/{id}")
    answer = put(person, f"/devices/{id}", body)
    assert (answer.status_code, answer.json()) == (200, {"message": "device updated"})
    assert person.ok(f"/devices/{id}") == before


def test_a_change_of_a_wrong_kind_is_refused_and_nothing_is_changed(person: Api) -> None:
    id = new_device(person)
    before = person.ok(f"/devices/{id}")
    for name in TEXTS:
        is_error(put(person, f"/devices/{id}", {name: ""}), 400, f"{name} is required")
        for value in NO_TEXT:
            is_error(put(person, f"/devices/{id}", {"status_id": 2, name: value}), 400, f"invalid {name}")
    for status_id in NO_STATUS:
        is_error(put(person, f"/devices/{id}", {"name": "new", "status_id": status_id}), 400, "invalid status_id")
    assert person.ok(f"/devices/{id}") == before


@pytest.mark.parametrize("body", [{"name": "x"}, {}, {"name": 5}, b"{", b"[]"], ids=str)
def test_DE16_an_unknown_device_is_not_found_whatever_the_body(person: Api, body: Any) -> None:
    is_error(put(person, f"/devices/{U0}", body), 404, "resource not found")


@pytest.mark.parametrize("body", [{}, {"name": 5}, b"{"], ids=str)
def test_DE17_a_malformed_id_comes_before_the_body(person: Api, body: Any) -> None:
    is_error(put(person, "/devices/xyz", body), 400, "invalid device ID")
    is_error(delete(person, "/devices/xyz"), 400, "invalid device ID")


def test_a_missing_token_comes_first(anybody: Api, person: Api) -> None:
    id = new_device(person)
    before = anybody.ok("/devices")
    for answer in (
        anybody.post("/devices", b"{"),
        anybody.post("/devices/batch", b"{"),
        put(anybody, "/devices/xyz", b"{"),
        put(anybody, f"/devices/{id}", {"name": "x"}),
        delete(anybody, "/devices/xyz"),
        delete(anybody, f"/devices/{id}"),
    ):
        is_error(answer, 401, "no claims")
    assert anybody.ok("/devices") == before


def test_DE19_a_device_is_deleted_once(person: Api, anybody: Api) -> None:
    id = new_device(person)
    answer = delete(person, f"/devices/{id}")
    assert (answer.status_code, answer.json()) == (200, {"message": "device deleted"})
    is_error(person.get(f"/devices/{id}"), 404, "resource not found")
    is_error(delete(person, f"/devices/{id}"), 404, "resource not found")
    is_error(put(person, f"/devices/{id}", {"name": "x"}), 404, "resource not found")
    assert id not in {device["id"] for device in anybody.ok("/devices")}


def test_an_unknown_device_cannot_be_deleted(person: Api) -> None:
    is_error(delete(person, f"/devices/{U0}"), 404, "resource not found")


def test_DE20_a_deleted_device_takes_its_sensors_and_actors_with_it(person: Api) -> None:
    id, other = new_device(person), new_device(person)
    sensors = [new_part(person, id) for _ in range(3)]
    actor, others = new_part(person, id, "actor"), new_part(person, other)
    delete(person, f"/devices/{id}")
    for sensor in sensors:
        is_error(person.get(f"/sensors/{sensor}"), 404, "resource not found")
        is_error(person.post("/sensor-readings", {"sensor_id": sensor, "value": 1}), 400, "sensor not found")
    is_error(person.get(f"/actors/{actor}"), 404, "resource not found")
    listed = {part["id"] for path in ("/sensors", "/actors") for part in person.ok(path)}
    assert listed.isdisjoint({*sensors, actor})
    assert others in listed


def test_an_announced_device_is_changed_by_persons_too(person: Api, known: MqttDevice) -> None:
    put(person, f"/devices/{known.id}", {"name": "Greenhouse", "status_id": 3})
    person.sees_device(known, name="Greenhouse", description="test", location="lab", status_id=3)


def test_devices_are_in_the_order_of_their_creation(person: Api, anybody: Api) -> None:
    made = [new_device(person) for _ in range(3)]
    put(person, f"/devices/{made[0]}", {"name": "changed last"})
    assert [device["id"] for device in anybody.ok("/devices") if device["id"] in made] == made


@pytest.mark.parametrize(("method", "allowed"), [("PATCH", {"GET", "PUT", "DELETE"}), ("POST", {"GET", "PUT"})])
def test_DE25_a_wrong_method_names_the_right_ones(person: Api, method: str, allowed: set[str]) -> None:
    answer = person.request(method, f"/devices/{new_device(person)}", json={})
    is_error(answer, 405, "method not allowed")
    assert allowed <= {method.strip() for method in answer.headers["allow"].split(",")}
