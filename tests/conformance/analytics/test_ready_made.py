"""The questions that come again and again, asked of the running product."""

from datetime import UTC, datetime

import httpx

from tests.conformance.streams.client import fresh
from tests.product import Product

NAMES = {
    "availability",
    "busiest-actors",
    "command-latency",
    "connector-stability",
    "message-rates",
    "reading-statistics",
}


def test_what_there_is_is_listed_with_its_parameters_and_its_sql(analyst: httpx.Client) -> None:
    told = analyst.get("/analytics").json()
    assert {analysis["name"] for analysis in told["analyses"]} == NAMES
    assert all(analysis["sql"].count("SELECT") and analysis["parameters"] for analysis in told["analyses"])
    assert set(told["tables"]) == {"events", "readings", "metrics", "presence", "commands", "messages"}


def test_each_of_them_is_answered(analyst: httpx.Client) -> None:
    for name in NAMES:
        answer = analyst.get(f"/analytics/{name}")
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json()["columns"]


def test_messages_are_counted_by_topic(analyst: httpx.Client) -> None:
    topic = fresh("topic")
    for _ in range(3):
        analyst.post(f"/streams/v1/topic/{topic}/messages", content=b"1").raise_for_status()
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0).isoformat()
    query = {"topic": topic, "bucket": "86400", "since": midnight, "format": "csv"}
    answer = analyst.get("/analytics/message-rates", params=query)
    assert answer.status_code == 200, answer.text
    head, *rows = [line.split(",") for line in answer.text.splitlines()]
    assert head[:3] == ["topic", "since", "messages"]
    assert sum(int(row[2]) for row in rows) == 3


def test_the_command_says_the_same(analyst: httpx.Client, product: Product) -> None:
    topic = fresh("topic")
    analyst.post(f"/streams/v1/topic/{topic}/messages", content=b"1").raise_for_status()
    period = {"since": "2026-01-14T12:00:00Z", "until": "2100-01-14T12:00:00Z"}
    given = [f"{name}={value}" for name, value in period.items()]
    told = product.run("analyse", "message-rates", *given, f"topic={topic}", "bucket=86400")
    query = {**period, "topic": topic, "bucket": "86400", "format": "csv"}
    assert told.splitlines() == analyst.get("/analytics/message-rates", params=query).text.splitlines()
    assert len(told.splitlines()) == 2
    for name in NAMES:
        assert "up to position" in product.run("analyse", name, "--format", "table")


def test_parameters_that_cannot_be_read_are_refused(analyst: httpx.Client) -> None:
    for query in ("since=yesterday", "device=boiler", "other=1", "format=xml", "device=&device="):
        answer = analyst.get(f"/analytics/availability?{query}")
        assert answer.status_code == 400, query
        assert answer.json()["code"] in ("bad_parameter", "bad_request")
