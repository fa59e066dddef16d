"""Contract 1.1: what every route has in common, whatever is sent."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.conformance.lambda_iot.client import Api, is_error
from tests.fleet import MqttDevice

MIB = 1024 * 1024

NO_OBJECT = {
    "nothing": b"",
    "blank": b" \r\n\t",
    "array": b"[]",
    "text": b'"x"',
    "number": b"5",
    "null": b"null",
    "true": b"true",
    "broken": b'{"username":',
    "two": b"{}{}",
    "trailing comma": b'{"username":"abc",}',
    "single quotes": b"{'username':'abc'}",
    "comment": b'{"username":"abc"/* */}',
    "broken UTF-8": b'{"username":"ab\xff\xfe","password":"secret123"}',
    "cut UTF-8": b'{"username":"ab\xc3',
    "UTF-8 surrogate": b'{"username":"ab\xed\xa0\x80c","password":"secret123"}',
    "lone surrogate": b'{"username":"ab\\ud800c","password":"secret123"}',
    "UTF-16": json.dumps({"username": "abc", "password": "secret123"}).encode("utf-16"),
    "NaN": b'{"username":NaN,"password":"secret123"}',
    "Infinity": b'{"username":"abc","password":Infinity}',
    "control character": b'{"username":"a\x01bc","password":"secret123"}',
    "nested arrays": b"[" * 100_000,
    "nested objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("path", ["/register", "/login", "/sensor-readings"])
@pytest.mark.parametrize("body", NO_OBJECT.values(), ids=NO_OBJECT)
def test_a_body_that_is_no_json_object_is_refused(person: Api, path: str, body: bytes) -> None:
    is_error(person.post(path, body), 400, "invalid request body")


def test_a_nested_body_that_is_complete_is_refused_too(person: Api) -> None:
    is_error(person.post("/register", b'{"a":' * 50_000 + b"1" + b"}" * 50_000), 400, "invalid request body")


def test_unknown_fields_are_ignored(anybody: Api) -> None:
    body = {"username": uuid4().hex, "password": "secret123", "admin": True, "id": 5, "": None, "a": {"b": [1]}}
    assert anybody.post("/register", body).status_code == 201


def test_of_a_repeated_field_the_last_one_counts(anybody: Api) -> None:
    name = uuid4().hex
    answer = anybody.post("/register", f'{{"username":"x","password":"secret123","username":"{name}"}}')
    assert answer.json()["username"] == name


def test_any_text_comes_back_as_it_was_sent(anybody: Api) -> None:
    name = f'<&>"\\/ é漢🛰\u2028 {uuid4().hex[:8]}'
    assert anybody.post("/register", {"username": name, "password": "secret123"}).json()["username"] == name


@pytest.mark.parametrize("path", ["/register", "/login", "/sensor-readings"])
def test_a_body_over_one_mebibyte_is_too_large(person: Api, path: str) -> None:
    is_error(person.post(path, b" " * 2 * MIB), 413, "request body too large")


def test_a_chunked_body_over_one_mebibyte_is_too_large(person: Api) -> None:
    def chunks() -> Any:
        for _ in range(32):
            yield b" " * 65536

    answer = person.client.post("/sensor-readings", content=chunks())
    is_error(answer, 413, "request body too large")


def test_a_body_just_under_one_mebibyte_is_read(anybody: Api) -> None:
    body = json.dumps({"username": uuid4().hex, "password": "secret123", "more": ""})
    padded = body[:-2] + "x" * (MIB - len(body)) + body[-2:]
    assert len(padded) == MIB
    assert anybody.post("/register", padded).status_code == 201


@pytest.mark.parametrize("path", ["/nowhere", "/devices/a/b/c", "/sensor-readings/1/2", "/protected/x", "/favicon.ico"])
def test_an_unknown_path_is_not_found(person: Api, path: str) -> None:
    is_error(person.get(path), 404, "resource not found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/register", {"POST"}),
        ("GET", "/register", {"POST"}),
        ("PUT", "/login", {"POST"}),
        ("POST", "/protected", {"GET"}),
        ("POST", "/health", {"GET"}),
        ("PUT", "/sensor-readings", {"GET", "POST"}),
        ("PATCH", "/sensor-readings/1", {"GET"}),
        ("PATCH", "/sensors", {"GET"}),
        ("PATCH", "/actors", {"GET"}),
    ],
)
def test_a_wrong_method_names_the_right_ones(person: Api, method: str, path: str, allowed: set[str]) -> None:
    answer = person.request(method, path, content=b"{}")
    is_error(answer, 405, "method not allowed")
    assert allowed <= _allowed(answer.headers["allow"])
    assert method not in _allowed(answer.headers["allow"])


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/health", {"GET", "OPTIONS"}),
        ("/register", {"POST", "OPTIONS"}),
        ("/sensor-readings", {"GET", "POST", "OPTIONS"}),
    ],
)
def test_OPTIONS_tells_all_methods_of_the_path(person: Api, path: str, allowed: set[str]) -> None:
    answer = person.client.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert _allowed(answer.headers["allow"]) == allowed


@pytest.mark.parametrize("path", ["/health", "/devices", "/sensors", "/register", "/sensor-readings/1"])
def test_HEAD_is_a_method_like_others_that_no_path_has(person: Api, path: str) -> None:
    answer = person.client.head(path)
    assert (answer.status_code, answer.content) == (405, b"")
    assert "HEAD" not in _allowed(answer.headers["allow"])


@pytest.mark.parametrize("path", ["/health", "/hello", "/devices", "/protected", "/sensors", "/sensor-readings"])
def test_a_trailing_slash_is_served_without_a_redirect(person: Api, path: str) -> None:
    assert person.get(f"{path}/").status_code == 200


@pytest.mark.parametrize("path", ["//health", "/health//", "//devices", "///protected", "//sensor-readings//"])
def test_a_doubled_slash_is_served_without_a_redirect(person: Api, path: str) -> None:
    # As typed: httpx would resolve a path that begins with two slashes as a host.
    base = str(person.client.base_url).rstrip("/")
    assert person.get(f"{base}{path}").status_code == 200


def test_slashes_are_collapsed_inside_paths_and_for_writes_too(person: Api, known: MqttDevice) -> None:
    base = str(person.client.base_url).rstrip("/")
    assert person.get(f"{base}//devices//{known.id}/").json()["id"] == str(known.id)
    answer = person.post(f"{base}//sensor-readings/", {"sensor_id": str(known.sensor()), "value": 1})
    assert answer.status_code == 201
    assert person.get(f"{base}/sensor-readings//{answer.json()['id']}//").status_code == 200


def test_a_get_may_carry_a_content_type_and_no_body(person: Api) -> None:
    assert person.get("/devices", headers={"Content-Type": "application/json"}).status_code == 200


def _allowed(header: str) -> set[str]:
    return {method.strip() for method in header.split(",")}
