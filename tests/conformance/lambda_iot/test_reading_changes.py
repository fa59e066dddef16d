"""Contract 4.5: readings that are corrected and removed, and what is told of them afterwards."""

from typing import Any

import pytest

from tests.conformance.lambda_iot.client import Api, is_error, seconds_ago
from tests.conformance.lambda_iot.test_readings import stored
from tests.fleet import MqttDevice, reading

AT = "2026-01-14T10:00:00Z"
UPDATED = {"message": "sensor reading updated"}


@pytest.fixture
def measured(person: Api, known: MqttDevice) -> dict[str, Any]:
    return stored(person, known, value=22.5, value_at=AT)


def path(of: dict[str, Any], *more: str) -> str:
    return "/".join((f"/sensor-readings/{of['id']}", *more))


def put(person: Api, of: dict[str, Any], **fields: Any) -> None:
    answer = person.request("PUT", path(of), json=fields)
    assert (answer.status_code, answer.json()) == (200, UPDATED)


def test_RE28_a_corrected_value_leaves_the_time_alone(person: Api, measured: dict[str, Any]) -> None:
    put(person, measured, value=1)
    assert person.ok(path(measured)) == {**measured, "value": 1}


def test_RE28_a_corrected_time_leaves_the_value_alone(person: Api, measured: dict[str, Any]) -> None:
    put(person, measured, value_at="2026-01-14T13:00:00.5+01:00")
    assert person.ok(path(measured)) == {**measured, "value_at": "2026-01-14T12:00:00.500000Z"}


def test_both_can_be_corrected_again_and_again(person: Api, known: MqttDevice, measured: dict[str, Any]) -> None:
    put(person, measured, value=0, value_at="2026-01-14T11:00:00Z")
    put(person, measured, value=-3.5)
    assert person.readings_of(known.sensor()) == [{**measured, "value": -3.5, "value_at": "2026-01-14T11:00:00Z"}]


def test_a_corrected_reading_takes_its_new_place_in_the_list(person: Api, known: MqttDevice) -> None:
    first = stored(person, known, value=1, value_at="2026-01-14T10:00:00Z")
    stored(person, known, value=2, value_at="2026-01-14T11:00:00Z")
    put(person, first, value_at="2026-01-14T12:00:00Z")
    assert person.values_of(known.sensor()) == [2, 1]


@pytest.mark.parametrize("fields", [{}, {"value": None}, {"value_at": None}, {"other": 1}, {"value": 22.5}])
def test_what_changes_nothing_is_no_change(person: Api, measured: dict[str, Any], fields: dict[str, Any]) -> None:
    put(person, measured, **fields)
    assert person.ok(path(measured)) == measured
    assert [one["what"] for one in person.ok(path(measured, "history"))] == ["recorded"]


def test_a_reading_never_changes_its_sensor(person: Api, known: MqttDevice, measured: dict[str, Any]) -> None:
    put(person, measured, sensor_id="abc", value=3)
    assert person.ok(path(measured)) == {**measured, "value": 3}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"value_at":"bad"}', "invalid value_at"),
        ('{"value_at":"2026-01-14T10:00:00"}', "invalid value_at"),
        ('{"value_at":5}', "invalid value_at"),
        ('{"value":"1"}', "invalid value"),
        ('{"value":true}', "invalid value"),
        ('{"value":1e400}', "invalid request body"),
        ('{"value":NaN}', "invalid request body"),
        ("[]", "invalid request body"),
        ("", "invalid request body"),
    ],
)
def test_RE29_a_bad_correction_changes_nothing(person: Api, measured: dict[str, Any], body: str, text: str) -> None:
    answer = person.request("PUT", path(measured), content=body)
    is_error(answer, 400, None if "1e400" in body else text)
    assert person.ok(path(measured)) == measured


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_was_never_recorded_cannot_be_changed(person: Api, method: str) -> None:
    is_error(person.request(method, "/sensor-readings/999999999", content="{"), 404, "resource not found")
    is_error(person.request(method, "/sensor-readings/abc", content="{"), 400, "invalid reading ID")
    is_error(person.get("/sensor-readings/999999999/history"), 404, "resource not found")
    is_error(person.get("/sensor-readings/abc/history"), 400, "invalid reading ID")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_changing_a_reading_needs_a_token(anybody: Api, measured: dict[str, Any], method: str) -> None:
    is_error(anybody.request(method, path(measured), json={}), 401, "no claims")
    is_error(anybody.get(path(measured, "history")), 401, "no claims")


def test_RE31_a_removed_reading_is_not_found(person: Api, known: MqttDevice, measured: dict[str, Any]) -> None:
    kept = stored(person, known, value=1)
    answer = person.request("DELETE", path(measured))
    assert (answer.status_code, answer.json()) == (200, {"message": "sensor reading deleted"})
    is_error(person.get(path(measured)), 404, "resource not found")
    is_error(person.request("DELETE", path(measured)), 404, "resource not found")
    is_error(person.request("PUT", path(measured), json={"value": 1}), 404, "resource not found")
    assert person.readings_of(known.sensor()) == [kept]


def test_RE32_the_id_of_a_removed_reading_is_never_used_again(
    person: Api, known: MqttDevice, measured: dict[str, Any]
) -> None:
    person.request("DELETE", path(measured))
    assert stored(person, known)["id"] > measured["id"]


def test_the_history_of_a_reading_tells_who_did_what_and_when(person: Api, measured: dict[str, Any]) -> None:
    actor = f"user:{person.ok('/protected')['claims']['user_id']}"
    put(person, measured, value=23)
    put(person, measured, value_at="2026-01-14T11:00:00Z")
    person.request("DELETE", path(measured))
    told = person.ok(path(measured, "history"))
    assert [(one["what"], one["value"], one["value_at"]) for one in told] == [
        ("recorded", 22.5, AT),
        ("corrected", 23, AT),
        ("corrected", 23, "2026-01-14T11:00:00Z"),
        ("removed", 23, "2026-01-14T11:00:00Z"),
    ]
    assert {one["actor"] for one in told} == {actor}
    assert [one["at"] for one in told] == sorted(one["at"] for one in told)
    assert all(-2 < seconds_ago(one["at"]) < 30 for one in told)
    assert {tuple(one) for one in told} == {("value", "value_at", "at", "actor", "what")}


def test_the_history_of_a_reading_from_a_device_names_the_device(person: Api, known: MqttDevice) -> None:
    known.report(reading(known.sensor(), 7, AT))
    person.sees_values(known.sensor(), 7)
    (of,) = person.readings_of(known.sensor())
    put(person, of, value=8)
    recorded, corrected = person.ok(path(of, "history"))
    assert recorded["actor"] == f"device:{known.id}"
    assert corrected["actor"].startswith("user:")


def test_a_device_that_repeats_a_removed_reading_does_not_bring_it_back(person: Api, known: MqttDevice) -> None:
    known.report(reading(known.sensor(), 7, AT))
    person.sees_values(known.sensor(), 7)
    (of,) = person.readings_of(known.sensor())
    person.request("DELETE", path(of))
    known.report(reading(known.sensor(), 7, AT))
    known.report(reading(known.sensor(), 9, "2026-01-14T11:00:00Z"))
    person.sees_values(known.sensor(), 9)
