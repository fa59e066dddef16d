"""Many readings in one request."""

import json
from typing import Any

import pytest

from tests.conformance.lambda_iot.client import U0, Api, is_error
from tests.fleet import MqttDevice, reading

BATCH = "/sensor-readings/batch"
AT = "2026-01-14T10:00:00Z"


def results(person: Api, lines: Any) -> list[dict[str, Any]]:
    answer = person.post(BATCH, lines)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def test_every_line_of_an_array_gets_its_id(person: Api, known: MqttDevice) -> None:
    told = results(person, [reading(known.sensor(), value) for value in (1, 2.5, -3)])
    listed = {one["id"]: one["value"] for one in person.readings_of(known.sensor())}
    assert [listed[result["id"]] for result in told] == [1, 2.5, -3]
    assert [result["id"] for result in told] == sorted(result["id"] for result in told)


def test_every_line_of_ndjson_gets_a_line(person: Api, known: MqttDevice) -> None:
    body = "\r\n".join(json.dumps(reading(known.sensor(), value, AT)) for value in (1, 2)) + "\n\nrubbish\n"
    answer = person.client.post(BATCH, content=body, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert told[2] == {"error": "invalid request body"}
    assert [person.ok(f"/sensor-readings/{one['id']}")["value"] for one in told[:2]] == [1, 2]


BAD_LINES: list[tuple[Any, str]] = [
    ({}, "sensor_id is required"),
    ({"sensor_id": ""}, "sensor_id is required"),
    ({"sensor_id": "abc", "value": 1}, "invalid sensor_id"),
    ({"sensor_id": 5, "value": 1}, "invalid sensor_id"),
    ({"sensor_id": U0.replace("-", ""), "value": 1}, "invalid sensor_id"),
    ({"sensor_id": U0, "value": 1}, "sensor not found"),
    ({"sensor_id": U0}, "value is required"),
    ({"sensor_id": U0, "value": None}, "value is required"),
    ({"sensor_id": U0, "value": "1"}, "invalid value"),
    ({"sensor_id": U0, "value": True}, "invalid value"),
    ({"sensor_id": U0, "value": 10**400}, "invalid value"),
    ({"sensor_id": U0, "value": 1, "value_at": "2026-01-14"}, "invalid value_at"),
    ({"sensor_id": U0, "value": 1, "value_at": "2026-01-14 10:00:00Z"}, "invalid value_at"),
    ({"sensor_id": U0, "value": 1, "value_at": "2026-01-14T10:00:00"}, "invalid value_at"),
    ({"sensor_id": U0, "value": 1, "value_at": 5}, "invalid value_at"),
    (5, "invalid request body"),
    ([], "invalid request body"),
    (None, "invalid request body"),
]


def test_a_bad_line_does_not_spoil_the_others(person: Api, known: MqttDevice) -> None:
    lines: list[Any] = []
    for number, (bad, _) in enumerate(BAD_LINES):
        lines += [bad, reading(known.sensor(), number)]
    told = results(person, lines)
    assert [result["error"] for result in told[::2]] == [text for _, text in BAD_LINES]
    listed = {one["id"]: one["value"] for one in person.readings_of(known.sensor())}
    assert [listed[result["id"]] for result in told[1::2]] == list(range(len(BAD_LINES)))


def test_a_bad_line_is_told_what_a_request_of_its_own_would_be_told(person: Api) -> None:
    for line, text in BAD_LINES:
        is_error(person.post("/sensor-readings", json.dumps(line)), 400, text)


def test_lines_of_several_devices_keep_their_order(person: Api, known: MqttDevice, another: MqttDevice) -> None:
    sensors = [known.sensor(), another.sensor(), known.sensor(1), known.actor()]
    known.announce(known.announcement(sensors=2))
    person.sees_parts(known, {known.sensor(0), known.sensor(1)})
    lines = [reading(sensors[number % 4], number) for number in range(3_000)]
    told = results(person, lines)
    assert {result.get("error") for result in told[3::4]} == {"sensor not found"}
    for line, result in list(zip(lines, told, strict=True))[-40:]:
        if "id" in result:
            found = person.ok(f"/sensor-readings/{result['id']}")
            assert (found["sensor_id"], found["value"]) == (line["sensor_id"], line["value"])
    ids = [result["id"] for result in told if "id" in result]
    assert len(set(ids)) == len(ids) == 2_250


def test_a_hundred_thousand_readings_are_one_request(person: Api, known: MqttDevice) -> None:
    lines = [reading(known.sensor(), number, AT) for number in range(100_000)]
    told = results(person, lines)
    ids = [result["id"] for result in told]
    assert ids == sorted(set(ids))
    assert len(ids) == 100_000
    assert person.ok(f"/sensor-readings/{ids[77_777]}")["value"] == 77_777


def test_more_than_that_is_too_large(person: Api) -> None:
    is_error(person.post(BATCH, [1] * 100_001), 413, "request body too large")
    is_error(person.post(BATCH, b"[" + b" " * (16 * 1024 * 1024) + b"]"), 413, "request body too large")


@pytest.mark.parametrize("body", ["", "5", '"x"', "[1,", "[NaN]", "null"])
def test_what_is_no_array_and_no_lines_is_refused_whole(person: Api, body: str) -> None:
    is_error(person.post(BATCH, body), 400, "invalid request body")


def test_nothing_is_recorded_of_nothing(person: Api) -> None:
    assert results(person, []) == []
    assert results(person, [1]) == [{"error": "invalid request body"}]


def test_many_readings_need_a_token(anybody: Api) -> None:
    is_error(anybody.post(BATCH, []), 401, "no claims")


def test_a_batch_is_read_back_at_once(person: Api, known: MqttDevice) -> None:
    results(person, [reading(known.sensor(), value) for value in range(50)])
    assert person.values_of(known.sensor()) == list(range(50))
