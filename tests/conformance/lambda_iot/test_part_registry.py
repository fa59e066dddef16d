"""Contract 4.3 and 4.4: making, changing and removing sensors and actors, which live by the same rules. Reading them
is in test_parts.py."""

from typing import Any
from uuid import uuid4

import pytest

from tests.conformance.lambda_iot.client import PART_KEYS, U0, Api, instant, is_error, seconds_ago
from tests.conformance.lambda_iot.registry import KINDS, PART, delete, id_of, new_device, new_part, put, without
from tests.fleet import MqttDevice

TEXTS = ("name", "type")
NO_TEXT = [5, True, ["x"], {"a": 1}, "x" * 1001, "a\0b"]
NO_DATA_TYPE = [0, -1, 1.0, 1.5, "1", True, False, [1], {"a": 1}, 2**63, 10**400]
NO_ID = ["abc", 5, True, [U0], {"id": U0}, f"{{{U0}}}", f"urn:uuid:{U0}", U0.replace("-", "")]
NO_OBJECT = [b"", b"{", b"[]", b'"x"', b"null", b'{"name":NaN}', b"\xff"]

both = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def owner(person: Api) -> str:
    """The id of a device that the tests of this file give parts to."""
    return new_device(person)


def assert_made(person: Api, owner: str, kind: str, fields: dict[str, Any]) -> None:
    made = person.post(f"/{kind}s", {"device_id": owner, **fields})
    assert made.status_code == 201
    part = person.ok(f"/{kind}s/{id_of(made)}")
    assert set(part) == PART_KEYS
    assert {name: part[name] for name in ("device_id", *fields)} == {"device_id": owner, **fields}
    assert part["created_at"] == part["updated_at"]
    assert -1 < seconds_ago(part["created_at"]) < 60
    assert part in person.ok(f"/{kind}s")


def test_SE01_a_sensor_is_made_and_answers_with_a_random_id(person: Api, owner: str) -> None:
    assert_made(person, owner, "sensor", {"name": "Temperature", "type": "temp", "data_type_id": 1})


def test_AC01_an_actor_is_made_and_answers_with_a_random_id(person: Api, owner: str) -> None:
    assert_made(person, owner, "actor", {"name": "LED", "type": "led", "data_type_id": 2})


def test_AC14_what_was_made_as_a_sensor_is_no_actor(person: Api, owner: str) -> None:
    sensor, actor = new_part(person, owner), new_part(person, owner, "actor")
    for path in (f"/actors/{sensor}", f"/sensors/{actor}"):
        is_error(person.get(path), 404, "resource not found")
        is_error(put(person, path, {"name": "x"}), 404, "resource not found")
        is_error(delete(person, path), 404, "resource not found")


@both
@pytest.mark.parametrize("name", ["device_id", *PART])
def test_SE04_every_field_is_required(person: Api, owner: str, kind: str, name: str) -> None:
    fields = {"device_id": owner, **PART}
    is_error(person.post(f"/{kind}s", without(fields, name)), 400, f"{name} is required")
    is_error(person.post(f"/{kind}s", {**fields, name: None}), 400, f"{name} is required")


@both
@pytest.mark.parametrize("data_type_id", NO_DATA_TYPE, ids=lambda value: str(value)[:12])
def test_SE05_a_data_type_is_a_whole_number_from_one(person: Api, owner: str, kind: str, data_type_id: Any) -> None:
    fields = {"device_id": owner, **PART, "data_type_id": data_type_id}
    is_error(person.post(f"/{kind}s", fields), 400, "invalid data_type_id")


@both
def test_a_data_type_may_be_as_large_as_the_log_can_hold(person: Api, owner: str, kind: str) -> None:
    id = new_part(person, owner, kind, data_type_id=2**63 - 1)
    assert person.ok(f"/{kind}s/{id}")["data_type_id"] == 2**63 - 1


@both
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_not_empty_and_nothing_else(person: Api, owner: str, kind: str, name: str) -> None:
    fields = {"device_id": owner, **PART}
    is_error(person.post(f"/{kind}s", {**fields, name: ""}), 400, f"{name} is required")
    for value in NO_TEXT:
        is_error(person.post(f"/{kind}s", {**fields, name: value}), 400, f"invalid {name}")


@both
@pytest.mark.parametrize("device_id", NO_ID, ids=str)
def test_SE07_a_device_id_is_a_uuid(person: Api, kind: str, device_id: Any) -> None:
    is_error(person.post(f"/{kind}s", {**PART, "device_id": device_id}), 400, "invalid device_id")


@both
def test_SE08_a_part_needs_a_device(person: Api, kind: str) -> None:
    name = uuid4().hex
    is_error(person.post(f"/{kind}s", {**PART, "device_id": U0, "name": name}), 400, "device not found")
    gone = new_device(person)
    delete(person, f"/devices/{gone}")
    is_error(person.post(f"/{kind}s", {**PART, "device_id": gone, "name": name}), 400, "device not found")
    assert name not in {part["name"] for part in person.ok(f"/{kind}s")}


@both
def test_a_sensor_is_no_device(person: Api, owner: str, kind: str) -> None:
    is_error(person.post(f"/{kind}s", {**PART, "device_id": new_part(person, owner)}), 400, "device not found")


@both
@pytest.mark.parametrize("body", NO_OBJECT)
def test_what_is_no_object_is_refused(person: Api, owner: str, kind: str, body: bytes) -> None:
    is_error(person.post(f"/{kind}s", body), 400, "invalid request body")
    is_error(put(person, f"/{kind}s/{new_part(person, owner, kind)}", body), 400, "invalid request body")


def test_a_device_id_in_capitals_is_the_same(person: Api, owner: str) -> None:
    assert person.ok(f"/sensors/{new_part(person, owner.upper())}")["device_id"] == owner


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        pytest.param("sensor", "name", "T2", id="SE10"),
        pytest.param("sensor", "type", "humidity", id="sensor-type"),
        pytest.param("sensor", "data_type_id", 7, id="sensor-data_type_id"),
        pytest.param("actor", "name", "LED 2", id="actor-name"),
        pytest.param("actor", "type", "rgb", id="AC04"),
        pytest.param("actor", "data_type_id", 7, id="actor-data_type_id"),
    ],
)
def test_SE10_AC04_one_field_is_changed_and_the_others_stay(
    person: Api, owner: str, kind: str, name: str, value: Any
) -> None:
    path = f"/{kind}s/{new_part(person, owner, kind)}"
    before = person.ok(path)
    answer = put(person, path, {name: value})
    assert (answer.status_code, answer.json()) == (200, {"message": f"{kind} updated"})
    after = person.ok(path)
    assert instant(after["updated_at"]) > instant(before["updated_at"])
    assert after == {**before, name: value, "updated_at": after["updated_at"]}


@both
@pytest.mark.parametrize("body", [{}, dict.fromkeys(["device_id", *PART]), PART, {"unknown": 1}], ids=str)
def test_a_change_that_says_nothing_new_changes_nothing(person: Api, owner: str, kind: str, body: Any) -> None:
    path = f"/{kind}s/{new_part(person, owner, kind)}"
    before = person.ok(path)
    for said in (body, {**body, "device_id": owner}):
        answer = put(person, path, said)
        assert (answer.status_code, answer.json()) == (200, {"message": f"{kind} updated"})
    assert person.ok(path) == before


@both
def test_SE11_a_part_cannot_be_moved_to_no_device(person: Api, owner: str, kind: str) -> None:
    path = f"/{kind}s/{new_part(person, owner, kind)}"
    before = person.ok(path)
    is_error(put(person, path, {"device_id": U0, "name": "x"}), 400, "device not found")
    assert person.ok(path) == before


@both
def test_a_change_of_a_wrong_kind_is_refused_and_nothing_is_changed(person: Api, owner: str, kind: str) -> None:
    path = f"/{kind}s/{new_part(person, owner, kind)}"
    before = person.ok(path)
    for name in TEXTS:
        is_error(put(person, path, {name: ""}), 400, f"{name} is required")
        for value in NO_TEXT:
            is_error(put(person, path, {"data_type_id": 3, name: value}), 400, f"invalid {name}")
    for value in NO_DATA_TYPE:
        is_error(put(person, path, {"name": "x", "data_type_id": value}), 400, "invalid data_type_id")
    for value in NO_ID:
        is_error(put(person, path, {"name": "x", "device_id": value}), 400, "invalid device_id")
    assert person.ok(path) == before


@both
@pytest.mark.parametrize("body", [{"name": "x"}, {}, {"name": 5}, {"device_id": U0}, b"{", b"[]"], ids=str)
def test_an_unknown_part_is_not_found_whatever_the_body(person: Api, kind: str, body: Any) -> None:
    is_error(put(person, f"/{kind}s/{U0}", body), 404, "resource not found")


@both
@pytest.mark.parametrize("body", [{}, {"name": 5}, b"{"], ids=str)
def test_a_malformed_id_comes_before_the_body(person: Api, kind: str, body: Any) -> None:
    is_error(put(person, f"/{kind}s/xyz", body), 400, f"invalid {kind} ID")
    is_error(delete(person, f"/{kind}s/xyz"), 400, f"invalid {kind} ID")


@both
def test_a_missing_token_comes_first(anybody: Api, person: Api, owner: str, kind: str) -> None:
    path = f"/{kind}s/{new_part(person, owner, kind)}"
    before = person.ok(path)
    for answer in (
        anybody.get(f"/{kind}s"),
        anybody.get(path),
        anybody.post(f"/{kind}s", b"{"),
        put(anybody, f"/{kind}s/xyz", b"{"),
        put(anybody, path, {"name": "x"}),
        delete(anybody, path),
    ):
        is_error(answer, 401, "no claims")
    assert person.ok(path) == before


@pytest.mark.parametrize("kind", [pytest.param("sensor", id="sensor"), pytest.param("actor", id="AC05")])
def test_AC05_a_part_is_deleted_once(person: Api, owner: str, kind: str) -> None:
    path = f"/{kind}s/{new_part(person, owner, kind)}"
    answer = delete(person, path)
    assert (answer.status_code, answer.json()) == (200, {"message": f"{kind} deleted"})
    is_error(person.get(path), 404, "resource not found")
    is_error(delete(person, path), 404, "resource not found")
    is_error(put(person, path, {"name": "x"}), 404, "resource not found")
    assert path not in {f"/{kind}s/{part['id']}" for part in person.ok(f"/{kind}s")}
    is_error(delete(person, f"/{kind}s/{U0}"), 404, "resource not found")


def test_a_deleted_sensor_takes_no_reading(person: Api, owner: str) -> None:
    sensor = new_part(person, owner)
    assert person.post("/sensor-readings", {"sensor_id": sensor, "value": 1}).status_code == 201
    delete(person, f"/sensors/{sensor}")
    is_error(person.post("/sensor-readings", {"sensor_id": sensor, "value": 1}), 400, "sensor not found")


@both
def test_a_moved_part_lives_and_dies_with_its_new_device(person: Api, kind: str) -> None:
    old, new = new_device(person), new_device(person)
    path = f"/{kind}s/{new_part(person, old, kind)}"
    before = person.ok(path)
    assert put(person, path, {"device_id": new}).json() == {"message": f"{kind} updated"}
    after = person.ok(path)
    assert after == {**before, "device_id": new, "updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]
    delete(person, f"/devices/{old}")
    assert person.ok(path) == after
    delete(person, f"/devices/{new}")
    is_error(person.get(path), 404, "resource not found")


@both
def test_parts_are_in_the_order_of_their_creation(person: Api, owner: str, kind: str) -> None:
    made = [new_part(person, owner, kind) for _ in range(3)]
    put(person, f"/{kind}s/{made[0]}", {"name": "changed last"})
    assert [part["id"] for part in person.ok(f"/{kind}s") if part["id"] in made] == made


@both
@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_a_wrong_method_names_the_right_ones(person: Api, kind: str, method: str) -> None:
    answer = person.request(method, f"/{kind}s/{U0}", json={})
    is_error(answer, 405, "method not allowed")
    assert {"GET", "PUT", "DELETE"} <= {allowed.strip() for allowed in answer.headers["allow"].split(",")}


@both
def test_a_retired_part_is_there_for_nobody_to_change(person: Api, known: MqttDevice, kind: str) -> None:
    id = known.sensor() if kind == "sensor" else known.actor()
    known.announce(known.announcement(sensors=0, actors=0))
    person.sees_parts(known, set(), f"{kind}s")
    for body in ({}, {"name": "x"}, b"{"):
        is_error(put(person, f"/{kind}s/{id}", body), 404, "resource not found")
    is_error(delete(person, f"/{kind}s/{id}"), 404, "resource not found")
