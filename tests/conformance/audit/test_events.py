"""The log, searched: filters, pages, forms, and as it grows."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.conformance.audit.client import Auditor, Person, bearer, fresh
from tests.fleet import MqttDevice
from tests.product import Product
from tests.waiting import eventually


@pytest.fixture(scope="module")
def person(product: Product) -> Person:
    one = Person(product)
    for number in range(5):
        one.produce(fresh("topic"), {"number": number, "word": "pssst"})
    return one


def test_an_event_says_who_when_through_what_and_in_which_conversation(auditor: Auditor, person: Person) -> None:
    (event,) = auditor.events(id=str(person.id), event="identity.user.registered")
    assert event["actor"] == f"user:{person.id}"
    assert event["actor_name"] == person.name
    assert event["source"] == "http"
    assert event["correlation_id"]
    assert datetime.fromisoformat(event["at"]) <= datetime.now(UTC)
    assert set(event["data"]) == {"person"}, "what is private stays in the log, and who somebody is"
    assert auditor.json(f"/events/{event['position']}") == event


def test_filters_narrow_one_another(auditor: Auditor, person: Person) -> None:
    produced = auditor.events(actor=f"user:{person.id}", event="streams.partition.produced", order="oldest")
    assert len(produced) == 5
    assert {event["correlation_id"] for event in produced} == {person.correlation}
    assert auditor.events(correlation=person.correlation, order="oldest") == produced
    assert auditor.events(correlation=person.correlation) == produced[::-1], "the newest first, unless asked otherwise"
    assert auditor.events(correlation=person.correlation, context="streams", aggregate="partition", order="oldest") == (
        produced
    )
    assert auditor.events(correlation=person.correlation, source="mqtt") == []
    assert auditor.events(correlation=person.correlation, context="devices") == []
    third = produced[2]
    of_one = auditor.events(correlation=person.correlation, id=third["aggregate_id"], after=third["position"] - 1)
    assert of_one[-1:] == [third]
    between = {"after": produced[0]["position"], "before": produced[4]["position"]}
    assert auditor.events(correlation=person.correlation, order="oldest", **between) == produced[1:4]
    assert auditor.events(correlation=person.correlation, since=third["at"], order="oldest") == produced[2:]
    assert auditor.events(correlation=person.correlation, until=third["at"], order="oldest") == produced[:2]


def test_what_it_is_about(product: Product, auditor: Auditor) -> None:
    with MqttDevice(product.urls["mqtt"]) as device:
        device.announce()

    def topics() -> list[str]:
        found = [event["topic"] for event in auditor.events(about=str(device.id), order="oldest")]
        assert "devices.sensor.added.v1" in found, "which names the device"
        return found

    assert eventually(topics)[0] == "devices.device.discovered.v1"


def test_pages_follow_one_another_and_the_header_says_where(auditor: Auditor, person: Person) -> None:
    for order in ("newest", "oldest"):
        whole = auditor.events(correlation=person.correlation, order=order)
        found: list[Any] = []
        query: dict[str, str | int] = {"correlation": person.correlation, "order": order, "limit": 2}
        url: str | None = str(httpx.URL("/audit/events", params=query))
        while url:
            answer = auditor.http.get(url)
            body = answer.json()
            found += body["events"]
            url = answer.links["next"]["url"] if body["next"] else None
        assert found == whole


def test_lines_and_tables(auditor: Auditor, person: Person) -> None:
    events = auditor.events(correlation=person.correlation)
    lines = auditor.get("/events", correlation=person.correlation, format="ndjson")
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text.splitlines()] == events
    accept = {"Accept": "text/csv"}
    table = auditor.http.get("/audit/events", params={"correlation": person.correlation}, headers=accept)
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [(row["position"], row["actor_name"], json.loads(row["data"])) for row in rows] == [
        (str(event["position"]), person.name, event["data"]) for event in events
    ]


def test_the_tail_goes_on_where_it_ended(auditor: Auditor, person: Person) -> None:
    head = int(auditor.get("/events", limit=1).headers["tidemark-position"])
    query: dict[str, str | int] = {"actor": f"user:{person.id}", "event": "streams.partition.produced"}
    topic = fresh("topic")
    with auditor.tail({**query, "after": head}) as events:
        person.produce(topic, 1)
        first = next(events)
        assert first["position"] > head
    person.produce(topic, 2)
    with auditor.tail(query, {"Last-Event-ID": str(first["position"])}) as events:
        second = next(events)
        assert second["position"] > first["position"]
        person.produce(topic, 3)
        assert next(events)["position"] > second["position"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"actor": ""}, "actor is empty"),
        ({"contxt": "devices"}, "there is no parameter 'contxt'"),
        ({"context": "gardens"}, "context is one of"),
        ({"event": "registered"}, "event is named in full"),
        ({"aggregate": "a.b.c"}, "aggregate is named in full"),
        ({"id": "7"}, "id is an id"),
        ({"since": "yesterday"}, "since is a time"),
        ({"since": "2026-11-24T08:00:00"}, "since is a time"),
        ({"limit": "0"}, "limit is a number"),
        ({"limit": "10001"}, "limit is a number"),
        ({"cursor": "x"}, "cursor is a number"),
        ({"order": "random"}, "order is one of"),
        ({"format": "xml"}, "format is one of"),
    ],
)
def test_what_cannot_be_meant_is_said(auditor: Auditor, query: dict[str, str], said: str) -> None:
    answer = auditor.get("/events", **query)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_twice_the_same_filter_is_said(auditor: Auditor) -> None:
    assert "given twice" in auditor.http.get("/audit/events?limit=1&limit=2").json()["error"]


def test_what_is_not_there(auditor: Auditor) -> None:
    assert auditor.get("/events/999999999999").status_code == 404
    assert auditor.get("/events/0").status_code == 400
    assert auditor.get("/events/x").status_code == 400
    assert auditor.get("/nothing").status_code == 404
    assert auditor.http.post("/audit/events").status_code == 405


def test_times_from_before_and_in_the_future_find_nothing(auditor: Auditor) -> None:
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert auditor.events(since=later) == []
    assert auditor.events(until="2000-01-01T00:00:00Z") == []


def test_only_who_may_read_the_audit_reads_it_and_who_may_not_is_on_record(product: Product, auditor: Auditor) -> None:
    somebody = f"/audit/identity/{UUID(int=1)}"
    paths = ("/audit/events", "/audit/events/1", f"{somebody}/history", f"{somebody}/state", "/audit/trace/x")
    with httpx.Client(base_url=product.api, trust_env=False) as stranger:
        for path in paths:
            assert stranger.get(path).status_code == 401
            assert stranger.get(path, headers={"Authorization": "Bearer x"}).status_code == 401
        curious = bearer(product, fresh("curious"), "analytics.read")
        correlation = fresh("conversation")
        for path in paths:
            answer = stranger.get(path, headers={**curious, "X-Correlation-Id": correlation})
            assert answer.status_code == 403
    refused = auditor.events(correlation=correlation, event="identity.access.refused", order="oldest")
    assert [event["data"]["route"] for event in refused] == [
        "/audit/events",
        "/audit/events/{position}",
        "/audit/{context}/{id}/history",
        "/audit/{context}/{id}/state",
        "/audit/trace/{correlation}",
    ], "before the answer"
    for event in refused:
        assert event["actor"] == event["data"]["asker"] != "anonymous"
        assert (event["data"]["status"], event["data"]["source"]) == (403, "127.0.0.1")


def test_a_failed_login_is_on_record_and_no_password_is(product: Product, auditor: Auditor) -> None:
    person = Person(product)
    wrong = {**person.credentials, "password": "Tr0ub4dor"}
    assert person.http.post("/login", json=wrong).status_code == 401

    def refused() -> bool:
        found = auditor.events(event="identity.login.refused", limit=50)
        return any(event["data"]["user_id"] == str(person.id) for event in found)

    eventually(refused)
    everything = auditor.get("/events", format="ndjson", limit=10_000).text
    assert "Tr0ub4dor" not in everything
    assert "secret-123" not in everything
    assert "argon2" not in everything
