"""`external_id`: what other systems call a device, one device only (issue 3). It is not shown in the device object."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.conformance.lambda_iot.client import DEVICE_KEYS, Api, is_error
from tests.conformance.lambda_iot.registry import DEVICE, delete, new_device, put
from tests.fleet import MqttDevice


def is_taken(person: Api, external_id: str) -> bool:
    """Asks by trying; what was free is free again afterwards."""
    answer = person.post("/devices", {**DEVICE, "external_id": external_id})
    if answer.status_code == 201:
        assert delete(person, f"/devices/{answer.json()['id']}").status_code == 200
        return False
    is_error(answer, 409, "resource already exists")
    return True


def test_an_external_id_belongs_to_one_device(person: Api) -> None:
    name = uuid4().hex
    id = new_device(person, external_id=name)
    assert set(person.ok(f"/devices/{id}")) == DEVICE_KEYS
    before = {device["id"] for device in person.ok("/devices")}
    assert is_taken(person, name)
    other = new_device(person)
    is_error(put(person, f"/devices/{other}", {"external_id": name, "name": "x"}), 409, "resource already exists")
    assert person.ok(f"/devices/{other}")["name"] == DEVICE["name"]
    assert {device["id"] for device in person.ok("/devices")} == {*before, other}


def test_saying_it_again_is_no_conflict_and_no_change(person: Api) -> None:
    name = uuid4().hex
    id = new_device(person, external_id=name)
    before = person.ok(f"/devices/{id}")
    assert put(person, f"/devices/{id}", {"external_id": name}).status_code == 200
    assert person.ok(f"/devices/{id}") == before


@pytest.mark.parametrize("nothing", [None, ""])
def test_null_or_an_empty_text_takes_it_away(person: Api, nothing: str | None) -> None:
    name = uuid4().hex
    id = new_device(person, external_id=name)
    assert put(person, f"/devices/{id}", {"external_id": nothing}).status_code == 200
    assert not is_taken(person, name)
    assert person.post("/devices", {**DEVICE, "external_id": nothing}).status_code == 201


def test_a_change_of_something_else_leaves_it(person: Api) -> None:
    name = uuid4().hex
    id = new_device(person, external_id=name)
    put(person, f"/devices/{id}", {"name": "x"})
    put(person, f"/devices/{id}", {})
    assert is_taken(person, name)


def test_another_one_frees_the_first(person: Api) -> None:
    first, second = uuid4().hex, uuid4().hex
    id = new_device(person, external_id=first)
    before = person.ok(f"/devices/{id}")
    assert put(person, f"/devices/{id}", {"external_id": second}).status_code == 200
    assert person.ok(f"/devices/{id}")["updated_at"] > before["updated_at"]
    assert (is_taken(person, first), is_taken(person, second)) == (False, True)


def test_a_deleted_device_frees_it(person: Api) -> None:
    name = uuid4().hex
    delete(person, f"/devices/{new_device(person, external_id=name)}")
    assert not is_taken(person, name)


def test_an_announced_device_can_have_one(person: Api, known: MqttDevice) -> None:
    name = uuid4().hex
    assert put(person, f"/devices/{known.id}", {"external_id": name}).status_code == 200
    known.announce(known.announcement(name="announced again"))
    person.sees_device(known, name="announced again")
    assert is_taken(person, name)


@pytest.mark.parametrize(
    "wrong", [5, True, ["x"], {}, 0, False, "x" * 256, "a\0", "a\n", "\t", "\u2028", "\x7f"], ids=repr
)
def test_it_is_a_text_of_at_most_255_printable_characters(person: Api, wrong: object) -> None:
    is_error(person.post("/devices", {**DEVICE, "external_id": wrong}), 400, "invalid external_id")
    is_error(put(person, f"/devices/{new_device(person)}", {"external_id": wrong}), 400, "invalid external_id")


def test_it_may_have_255_characters_of_any_script_and_every_one_counts(person: Api) -> None:
    name = (uuid4().hex + "/é漢🛰 A" * 255)[:255]
    new_device(person, external_id=name)
    assert is_taken(person, name)
    assert not is_taken(person, name.swapcase())
    assert not is_taken(person, name[:-1])


def test_of_many_who_ask_at_once_one_gets_it(person: Api) -> None:
    name = uuid4().hex
    devices = [new_device(person) for _ in range(6)]

    def ask(index: int) -> int:
        if index % 2:
            return put(person, f"/devices/{devices[index // 2]}", {"external_id": name}).status_code
        return person.post("/devices", {**DEVICE, "external_id": name}).status_code

    with ThreadPoolExecutor(12) as threads:
        told = sorted(threads.map(ask, range(12)))
    assert told[0] in (200, 201)
    assert told[1:] == [409] * 11
