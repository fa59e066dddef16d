"""Contract 4.6, robustness (MQ22 is beside discovery, MQ43 and MQ44 are in test_start.py), and every operation of the
document against bodies, paths and methods that make no sense."""

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest

from entrypoints.lambda_iot.openapi.document import document
from tests.conformance.lambda_iot.client import U0, Api, is_error
from tests.fleet import TOPIC, MqttDevice, payloads, reading


def test_MQ41_what_the_server_says_to_all_is_not_taken_for_a_report(known: MqttDevice, person: Api) -> None:
    known.subscribe(TOPIC)
    head = int(person.get("/devices").headers["tidemark-position"])
    said = [
        {
            "type": "sensor_trigger",
            "sensor_id": str(known.sensor()),
            "action": "read",
            "requested_at": "2026-01-14T10:00:00Z",
        },
        {"type": "actor_command", "actor_id": str(known.actor()), "action": "set", "value": 1, "requested_at": "x"},
        {"type": "ping", "timestamp": "2026-01-14T10:00:00Z"},
        {"type": "discovery_request", "requested_at": "2026-01-14T10:00:00Z"},
        {"type": "discovery", **known.announcement(name="not on this topic")},
        {"type": uuid4().hex},
        {"no": "type"},
    ]
    for message in said:
        known.publish(TOPIC, message)
    known.report(reading(known.sensor(), 1, type="sensor_reading"), topic=TOPIC)
    person.sees_values(known.sensor(), 1)
    assert person.device(known)["name"] == "ESP"
    heard = payloads(known.heard)
    assert [message for message in heard if message in said] == said, "each is heard once: nobody echoed it"
    assert int(person.get("/devices").headers["tidemark-position"]) > head


def test_topics_of_no_meaning_are_ignored(known: MqttDevice, person: Api) -> None:
    for topic in (
        f"{TOPIC}/{known.id}",
        f"{TOPIC}/{known.id}/unknown",
        f"{TOPIC}/{known.id}/readings/more",
        f"{TOPIC}/not-a-uuid/readings",
        f"{TOPIC}/{{{known.id}}}/readings",
        f"{TOPIC}/server/status",
        f"{TOPIC}//readings",
        f"{TOPIC}/é漢/readings",
        f"other/{known.id}/readings",
        "x" * 1000,
    ):
        if "server" not in topic:  # that one is retained, and other tests look at it
            known.publish(topic, reading(known.sensor(), 66))
    known.report(reading(known.sensor(), 1))
    person.sees_values(known.sensor(), 1)


def test_messages_of_qos_0_and_2_are_taken_too(known: MqttDevice, person: Api) -> None:
    for qos in (0, 2):
        sent = known._client.publish(
            f"{TOPIC}/{known.id}/readings", f'{{"sensor_id":"{known.sensor()}","value":{qos}}}', qos=qos
        )
        sent.wait_for_publish(10)
    person.sees_values(known.sensor(), 0, 2)


def test_a_retained_reading_is_stored_once(known: MqttDevice, person: Api) -> None:
    topic = f"{TOPIC}/{known.id}/readings"
    known.publish(topic, reading(known.sensor(), 1, "2026-01-14T10:00:00Z"), retain=True)
    known.publish(topic, b"", retain=True)
    known.report(reading(known.sensor(), 2))
    person.sees_values(known.sensor(), 1, 2)


def operations() -> Iterator[tuple[str, str, str, bool]]:
    """What there is now: its name, method and path with an id that is nobody's, and whether it takes a body."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            id = NO_READING if "reading" in path else U0
            yield operation["operationId"], method.upper(), path.replace("{id}", id), "requestBody" in operation


NO_READING = "999999999999"
OPERATIONS = {name: (method, path) for name, method, path, _ in operations()}
TAKING = {name: (method, path) for name, method, path, takes in operations() if takes}
OF_MANY_LINES = {"createDevices", "createReadings"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY")
BROKEN = {
    "nothing open": b"}",
    "NaN": b'{"value":NaN,"a":1}',
    "huge exponent": b'{"value":1e400000000000000000000}',
    "minus": b'{"value":-}',
    "nested": b'{"a":' + b"[" * 200_000,
    "lone surrogate": b'{"name":"\\ud800"}',
    "broken UTF-8": b'{"name":"\xff"}',
    "NUL": b"\0",
    "BOM": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_SE20_DE25_a_method_that_a_path_does_not_have_is_a_405_with_Allow(person: Api, name: str) -> None:
    _, path = OPERATIONS[name]
    there = {method for method, other in OPERATIONS.values() if other == path}
    for method in METHODS:
        if method in there:
            continue
        answer = person.client.request(method, path)
        assert answer.status_code == 405, f"{method} {path} → {answer.status_code} {answer.text}"
        allowed = {one.strip() for one in answer.headers["allow"].split(",")}
        assert allowed == {*there, "OPTIONS"}
        if method != "HEAD":
            assert answer.json() == {"error": "method not allowed"}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("name", sorted(TAKING.keys() - OF_MANY_LINES))
def test_a_body_that_is_no_json_is_one_clear_error(person: Api, name: str, body: bytes) -> None:
    method, path = TAKING[name]
    answer = person.request(method, path, content=body)
    if names_nobody(path):
        is_error(answer, 404, "resource not found")  # comes before the body (1.3)
    else:
        is_error(answer, 400, "invalid request body")


@pytest.mark.parametrize("name", sorted(TAKING))
def test_a_body_that_is_too_large_is_refused_in_one_piece_and_in_chunks(person: Api, name: str) -> None:
    method, path = TAKING[name]
    size = 17 if name in OF_MANY_LINES else 2
    pieces = [b" " * 65536] * 16 * size
    for content in (b"".join(pieces), iter(pieces)):
        answer = person.request(method, path, content=content)
        if answer.status_code != 404 or not names_nobody(path):  # which may be said before the body is read
            is_error(answer, 413, "request body too large")


@pytest.mark.parametrize("value", ["1e400", "-1e400", "9" * 400, "1" + "0" * 5000, "0.1e-99999999", "1E+309"])
def test_numbers_beyond_all_bounds_are_refused_or_small(person: Api, known: MqttDevice, value: str) -> None:
    body = f'{{"sensor_id":"{known.sensor()}","value":{value}}}'
    answer = person.post("/sensor-readings", body)
    assert answer.status_code == (201 if "e-" in value else 400), answer.text


def test_of_a_key_that_is_there_twice_the_last_one_counts(person: Api, known: MqttDevice) -> None:
    body = f'{{"sensor_id":"x","value":"x","sensor_id":"{known.sensor()}","value":7}}'
    assert person.post("/sensor-readings", body).status_code == 201
    assert person.values_of(known.sensor()) == [7]


@pytest.mark.parametrize(
    "id", ["%00", "%ff", "..", "%2e%2e", "%2f", "a%2fb", "%20", "'", "{}", "é", "\u202e", "x" * 4000]
)
@pytest.mark.parametrize("path", ["/devices", "/sensors", "/actors", "/sensor-readings"])
def test_a_path_of_no_sense_is_one_clear_error(person: Api, path: str, id: str) -> None:
    answer = person.get(f"{path}/{id}")
    assert answer.status_code in (400, 404) or (id in ("..", "%2f") and answer.status_code in (200, 404)), answer.text


def test_a_query_of_no_sense_is_one_clear_error(person: Api) -> None:
    for query in ("limit=%00", "limit=%ff", "page=1e3", "sensor_id=%00", "limit=" + "9" * 3000, "limit=1&limit=x"):
        assert person.get(f"/sensor-readings?{query}").status_code in (200, 400), query
    assert json.loads(person.get("/sensor-readings?=&&a&b==&%").content) is not None


def names_nobody(path: str) -> bool:
    return U0 in path or NO_READING in path
