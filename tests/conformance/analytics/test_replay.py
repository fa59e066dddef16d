"""What would have happened, asked of the running product."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.conformance.streams.client import fresh
from tests.product import Product, descendants_running, run_tidemark
from tests.waiting import eventually

COUNTS = """
def evolve(state, event):
    if event["data"].get("name") != "NAME":
        return state
    return (state or 0) + event["data"]["count"], [{"offset": event["data"]["offset"]}]
"""


@pytest.fixture
def topic(analyst: httpx.Client) -> str:
    """Has three messages."""
    name = fresh("topic")
    for _ in range(3):
        analyst.post(f"/streams/v1/topic/{name}/messages?partitionKey=a", content=b"1").raise_for_status()
    return name


def test_a_program_is_run_through_history(analyst: httpx.Client, topic: str) -> None:
    body = {"python": COUNTS.replace("NAME", topic), "context": "streams", "beside": ["streams.partition."]}
    answer = analyst.post("/analytics/replay", json=body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["state"], told["would_count"]) == (3, 3)
    assert [would["outcome"] for would in told["would"]] == [{"offset": 0}, {"offset": 1}, {"offset": 2}]
    assert told["did_count"] >= 3


def test_the_command_says_the_same(analyst: httpx.Client, product: Product, topic: str, tmp_path: Path) -> None:
    rule = tmp_path / "rule.py"
    rule.write_text(COUNTS.replace("NAME", topic))
    told = json.loads(product.run("replay", "--rule", str(rule), "--context", "streams"))
    assert (told["state"], told["would_count"]) == (3, 3)
    told = json.loads(product.run("replay", "--rule", str(rule), "--until", "2020-01-01T00:00:00Z"))
    assert (told.get("state"), told["events"]) == (None, 0)


def test_thresholds_are_a_rule(analyst: httpx.Client) -> None:
    answer = analyst.post("/analytics/replay", json={"thresholds": {"above": 1e9}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["would_count"] == 0


def test_a_rule_that_fails_is_said_so(analyst: httpx.Client, topic: str) -> None:
    answer = analyst.post(
        "/analytics/replay", json={"python": "def evolve(state, event):\n    return open('/etc/passwd')"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "rule_failed")
    assert "line 2" in answer.json()["message"]


def test_a_process_that_ends_by_itself_is_said_so(analyst: httpx.Client, product: Product) -> None:
    rule = {"python": "def evolve(state, event):\n    while True: pass"}
    with ThreadPoolExecutor() as aside:
        asked = aside.submit(analyst.post, "/analytics/replay", json=rule)
        for pid in eventually(lambda: descendants_running("adapters.analytics.rule_runner", product.pid)):
            os.kill(pid, signal.SIGKILL)
        answer = asked.result(timeout=20)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_answered")
    assert "ended by itself (SIGKILL)" in answer.json()["message"]


def test_a_body_without_a_rule_is_refused(analyst: httpx.Client) -> None:
    for body in ({}, {"python": "", "thresholds": {}}, {"thresholds": {"above": 1}, "since": "2026-01-14T12:00:00"}):
        assert analyst.post("/analytics/replay", json=body).status_code == 400


def test_a_file_that_is_no_rule_is_refused(tmp_path: Path) -> None:
    told = run_tidemark("replay", "--rule", str(tmp_path / "nothing.py"), fails=True)
    assert "cannot be read" in told
