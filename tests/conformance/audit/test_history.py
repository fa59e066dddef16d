"""What happened to one thing, what each event made different, and what came of one request."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.conformance.audit.client import Auditor, Person, fresh
from tests.fleet import TOPIC, MqttDevice
from tests.product import Product
from tests.waiting import eventually


@pytest.fixture(scope="module")
def person(product: Product) -> Person:
    return Person(product)


@pytest.fixture
def device(product: Product, person: Person) -> Iterator[MqttDevice]:
    """Announced and listed."""
    with MqttDevice(product.urls["mqtt"]) as connected:
        connected.announce()
        eventually(lambda: person.http.get(f"/devices/{connected.id}").status_code == 200)
        yield connected


def test_the_history_of_a_device_says_who_made_what_different(
    auditor: Auditor, person: Person, device: MqttDevice
) -> None:
    name = fresh("Greenhouse")
    assert person.http.put(f"/devices/{device.id}", json={"name": name}).status_code == 200
    history = auditor.json(f"/devices/{device.id}/history")
    assert (history["aggregate"], history["next"]) == ("devices.device", None)
    first, *_, last = history["events"]
    assert first["topic"] == "devices.device.discovered.v1"
    assert {"path": "name", "after": "ESP"} in first["changes"]
    assert (last["actor_name"], last["source"]) == (person.name, "http")
    assert {"path": "name", "before": "ESP", "after": name} in last["changes"]
    newest = auditor.json(f"/devices/{device.id}/history", order="newest", limit=1)
    assert newest["events"] == [last]
    rest = auditor.json(f"/devices/{device.id}/history", order="newest", cursor=newest["next"])
    assert [*newest["events"], *rest["events"]] == history["events"][::-1]


def test_a_history_shows_no_secret(auditor: Auditor, person: Person) -> None:
    answer = auditor.get(f"/identity/{person.id}/history")
    assert {"path": "password_hash", "private": True} in answer.json()["events"][0]["changes"]
    assert "argon2" not in answer.text


def test_messages_are_counted_and_not_shown(auditor: Auditor, person: Person) -> None:
    person.produce(fresh("topic"), "pssst")
    (event,) = auditor.events(correlation=person.correlation, limit=1)
    history = auditor.get(f"/streams/{event['aggregate_id']}/history")
    assert history.json()["events"][0]["changes"] == [{"path": "end", "after": {"offset": 1, "entries": 1}}]
    assert "pssst" not in history.text


def test_what_has_no_history(auditor: Auditor) -> None:
    assert auditor.get(f"/devices/{uuid4()}/history").status_code == 404
    assert auditor.get("/devices/x/history").status_code == 400
    assert auditor.get(f"/gardens/{uuid4()}/history").status_code == 400


def test_a_trace_leads_from_the_request_to_the_answer_of_the_device(
    auditor: Auditor, person: Person, device: MqttDevice
) -> None:
    correlation = fresh("incident")
    asked = person.http.post(
        f"/actors/{device.actor()}/write", json={"action": "off"}, headers={"X-Correlation-Id": correlation}
    )
    assert asked.status_code == 202, asked.text
    response = {"type": "actor_response", "actor_id": str(device.actor()), "action": "off", "status": "ok"}
    device.publish(f"{TOPIC}/{device.id}/response", response)

    def answered() -> dict[str, Any] | None:
        trace: dict[str, Any] = auditor.json(f"/trace/{correlation}")
        return trace if "devices.command.answered.v1" in json.dumps(trace) else None

    trace = eventually(answered)
    assert trace is not None
    assert (trace["began"]["source"], trace["began"]["actor_name"]) == ("http", person.name)
    issued = next(node for node in trace["tree"] if node["event"]["topic"] == "devices.command.issued.v1")
    assert issued["published"] == f"tidemark.events.devices.command.issued.{issued['event']['aggregate_id']}"
    (conversation,) = issued["caused"]
    assert conversation["correlation"] not in (None, correlation)
    (message,) = conversation["caused"]
    answer = message["caused"][0]["event"]
    assert (answer["topic"], answer["source"]) == ("devices.command.answered.v1", "mqtt")
    assert answer["actor"] == f"device:{device.id}"
    assert answer["data"]["command_id"] == issued["event"]["data"]["command_id"]
    about = auditor.events(about=issued["event"]["data"]["command_id"], order="oldest")
    assert [event["topic"].split(".")[2] for event in about] == ["issued", "published", "answered"]


def test_what_has_no_trace(auditor: Auditor) -> None:
    assert auditor.get(f"/trace/{fresh('nobody')}").status_code == 404
