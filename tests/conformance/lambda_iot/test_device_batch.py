"""Making many devices with one request: a result for every line, in the form of the lines (issue 3)."""

import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.conformance.lambda_iot.client import Api, is_error
from tests.conformance.lambda_iot.registry import DEVICE, without

NDJSON = "application/x-ndjson"
MIXED: list[Any] = [
    {**DEVICE, "name": "first"},
    without(DEVICE, "location"),
    {**DEVICE, "status_id": 9},
    "no object",
    None,
    {**DEVICE, "name": "last"},
]
REFUSALS = ["location is required", "invalid status_id", "invalid request body", "invalid request body"]


def results_of(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"results"}
    results: list[dict[str, str]] = body["results"]
    return results


def post_lines(person: Api, *lines: bytes, content_type: str = NDJSON) -> list[dict[str, str]]:
    answer = person.client.post("/devices/batch", content=b"\n".join(lines), headers={"Content-Type": content_type})
    assert (answer.status_code, answer.headers["content-type"]) == (200, NDJSON), answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def assert_mixed(person: Api, results: list[dict[str, str]]) -> None:
    assert [set(result) for result in results] == [{"id"}, *[{"error"}] * 4, {"id"}]
    assert [result["error"] for result in results if "error" in result] == REFUSALS
    for index, name in ((0, "first"), (-1, "last")):
        assert UUID(results[index]["id"]).version == 4
        assert person.ok(f"/devices/{results[index]['id']}")["name"] == name


def test_every_element_of_an_array_has_its_result_and_a_bad_one_spoils_no_other(person: Api) -> None:
    answer = person.post("/devices/batch", MIXED)
    assert_mixed(person, results_of(answer))
    assert int(answer.headers["tidemark-position"]) > 0


@pytest.mark.parametrize("content_type", [NDJSON, "application/json"])
def test_every_line_of_ndjson_has_its_result(person: Api, content_type: str) -> None:
    assert_mixed(person, post_lines(person, *(json.dumps(one).encode() for one in MIXED), content_type=content_type))


def test_a_line_that_is_no_json_spoils_no_other(person: Api) -> None:
    good = json.dumps(DEVICE).encode()
    results = post_lines(person, good, b"{{{", b"", b"\xff", b"  ", good)
    assert [set(result) for result in results] == [{"id"}, {"error"}, {"error"}, {"id"}]


def test_an_element_with_broken_utf8_spoils_no_other(person: Api) -> None:
    good = json.dumps(DEVICE).encode()
    results = results_of(person.post("/devices/batch", b"[" + good + b',{"name":"\xff"},' + good + b"]"))
    assert [set(result) for result in results] == [{"id"}, {"error"}, {"id"}]


def test_nothing_in_nothing_out(person: Api) -> None:
    assert results_of(person.post("/devices/batch", [])) == []
    assert post_lines(person, b"") == []


@pytest.mark.parametrize("body", [b"", b" ", b"5", b"null", b'"x"', b"[{]", b"[", b"[NaN]", b"[" * 50_000])
def test_what_is_neither_array_nor_lines_is_refused(person: Api, body: bytes) -> None:
    is_error(person.post("/devices/batch", body), 400, "invalid request body")


def test_more_than_ten_thousand_are_too_many(person: Api) -> None:
    is_error(person.post("/devices/batch", b"[" + b"1," * 10_000 + b"1]"), 413, "request body too large")
    refused = results_of(person.post("/devices/batch", b"[" + b"1," * 9_999 + b"1]"))
    assert refused == [{"error": "invalid request body"}] * 10_000


def test_more_than_sixteen_mebibytes_are_too_much(person: Api) -> None:
    is_error(person.post("/devices/batch", b" " * (16 * 1024 * 1024 + 1)), 413, "request body too large")


def test_a_thousand_devices_are_made_at_once_in_order(person: Api, anybody: Api) -> None:
    batch = uuid4().hex
    # The padding is no field of a device: the others' lists stay short.
    body = [{**DEVICE, "name": f"{batch} {number}", "padding": "x" * 999} for number in range(1_200)]
    assert len(json.dumps(body)) > 1024 * 1024
    ids = [result["id"] for result in results_of(person.post("/devices/batch", body))]
    names = {device["id"]: device["name"] for device in anybody.ok("/devices") if device["name"].startswith(batch)}
    assert [names[id] for id in ids] == [device["name"] for device in body]
    assert len(names) == 1_200


def test_an_external_id_is_given_to_the_first_line_that_asks(person: Api) -> None:
    taken = {**DEVICE, "external_id": uuid4().hex}
    results = results_of(person.post("/devices/batch", [taken, taken, DEVICE]))
    assert [set(result) for result in results] == [{"id"}, {"error"}, {"id"}]
    assert results[1] == {"error": "resource already exists"}
