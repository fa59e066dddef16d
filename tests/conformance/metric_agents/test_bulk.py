"""`PUT /metrics`: reports of many devices in one request."""

import gzip
import json
from typing import Any

import pytest

from tests.conformance.lambda_iot.registry import DEVICE
from tests.conformance.metric_agents.agent import Agent, report

DONE = {"status": 200}


def ndjson(*reports: Any) -> bytes:
    return b"".join([json.dumps(one).encode() + b"\n" for one in reports])


def unknown(device: str) -> dict[str, Any]:
    return {"errors": [{"title": "Host Not Found", "detail": f"Unknown host: {device}"}], "status": 404}


def test_an_array_is_answered_with_a_result_for_each_report(agent: Agent) -> None:
    one, two = agent.device(), agent.device()
    answer = agent.metrics.put(
        "/metrics", json=[report(one), report("nobody"), report(two, value=3), report(one, ttl=0)]
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert int(answer.headers["tidemark-position"]) > 0
    fault = {"status": 422, "title": "required", "detail": "ttl is a required field", "source": "ttl"}
    assert answer.json() == {
        "results": [DONE, unknown("nobody"), DONE, {"errors": [fault], "status": 422}],
        "status": 200,
    }
    assert agent.current(one) == {"load": 1.5}
    assert agent.current(two) == {"load": 3}


def test_lines_are_answered_with_lines(agent: Agent) -> None:
    device = agent.device()
    body = ndjson(report(device), {"device": device}) + b"\n" + b"{no json\n" + ndjson(report(device, name="heat"))
    answer = agent.metrics.put("/metrics", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    results = [json.loads(line) for line in answer.text.splitlines()]
    assert [result["status"] for result in results] == [200, 422, 400, 200]
    assert results[2]["errors"][0]["title"] == "error parsing JSON body"
    assert agent.current(device) == {"load": 1.5, "heat": 1.5}


def test_the_first_character_tells_lines_from_an_array(agent: Agent) -> None:
    device = agent.device()
    assert agent.metrics.put("/metrics", content=ndjson(report(device))).text == '{"status":200}\n'


def test_a_device_is_named_by_its_id_too(agent: Agent) -> None:
    id = agent.id_of({})
    assert agent.metrics.put("/metrics", json=[report(id)]).json()["results"] == [DONE]
    assert agent.current(id) == {"load": 1.5}


def test_nothing_of_a_refused_report_is_stored(agent: Agent) -> None:
    device = agent.device()
    agent.metrics.put("/metrics", json=[report(device, name="a"), report(device, name="b", value="x")])
    assert agent.current(device) == {"a": 1.5}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"type": "uint8", "value": 256}, 422),
        ({"units": "<"}, 422),
        ({"name": " "}, 422),
        ({"value": None}, 422),
        ({"ttl": 1.5}, 400),
        ({"ttl": 2**63}, 400),
        ({"name": 5}, 400),
        ({"device": None}, 422),
        ({"device": ["x"]}, 400),
        ({"NAME": "renamed"}, 200),
        ({"extra": 1}, 200),
    ],
)
def test_each_report_is_judged_as_a_single_one(agent: Agent, changes: dict[str, Any], status: int) -> None:
    device = agent.device()
    results = agent.metrics.put("/metrics", json=[{**report(device), **changes}]).json()["results"]
    assert [result["status"] for result in results] == [status]


@pytest.mark.parametrize(("literal", "status"), [("-0", 422), ("-0.0", 422), ("0", 200), ("1e400", 400)])
def test_numbers_are_read_as_they_are_written(agent: Agent, literal: str, status: int) -> None:
    body = json.dumps([report(agent.device(), type="uint8", value="@")]).replace('"@"', literal)
    assert agent.metrics.put("/metrics", content=body).json()["results"][0]["status"] == status


@pytest.mark.parametrize("body", [b"", b"5", b"[", b'[{"device"', b'"x"'])
def test_what_is_neither_an_array_nor_lines_is_refused_as_a_whole(agent: Agent, body: bytes) -> None:
    answer = agent.metrics.put("/metrics", content=body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["title"] == "error parsing JSON body"


def test_an_empty_array_is_answered_with_nothing(agent: Agent) -> None:
    assert agent.metrics.put("/metrics", content=b"[]").json() == {"results": [], "status": 200}


def test_a_body_may_be_compressed(agent: Agent) -> None:
    device = agent.device()
    body = gzip.compress(json.dumps([report(device)]).encode())
    answer = agent.metrics.put("/metrics", content=body, headers={"content-encoding": "gzip"})
    assert answer.json()["results"] == [DONE]


def test_what_becomes_too_large_is_refused(agent: Agent) -> None:
    bomb = gzip.compress(b"[" + b" " * (17 * 1024 * 1024) + b"]")
    assert len(bomb) < 64 * 1024
    assert agent.metrics.put("/metrics", content=bomb, headers={"content-encoding": "gzip"}).status_code == 413
    assert agent.metrics.put("/metrics", content=b"[" + b"{}," * 50_000 + b"{}]").status_code == 413


def test_it_takes_a_token(agent: Agent) -> None:
    answer = agent.metrics.put("/metrics", json=[], headers={"authorization": ""})
    assert (answer.status_code, answer.text) == (401, "no token found\n")


def test_under_mrd_it_is_there_too(agent: Agent) -> None:
    device = agent.device()
    assert agent.api.put("/mrd/metrics", json=[report(device)]).json()["results"] == [DONE]


def test_ten_thousand_reports_of_many_devices_are_recorded(agent: Agent) -> None:
    devices = [agent.device() for _ in range(10)]
    many = [report(devices[number % 10], name=f"m{number // 10}", value=number) for number in range(10_000)]
    results = agent.metrics.put("/metrics", json=many).json()["results"]
    assert results == [DONE] * 10_000
    assert agent.current(devices[3]) == {f"m{number}": number * 10 + 3 for number in range(1_000)}


def test_a_removed_device_is_unknown(agent: Agent) -> None:
    made = agent.api.post("/devices", json=DEVICE).json()["id"]
    assert agent.api.delete(f"/devices/{made}").status_code in (200, 204)
    assert agent.metrics.put("/metrics", json=[report(made)]).json()["results"] == [unknown(made)]
