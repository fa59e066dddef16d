"""What one thing was at a moment, over HTTP."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tests.conformance.audit.client import Auditor, Person, fresh
from tests.product import Product

DEVICE = {"name": "Room", "description": "d", "location": "l", "status_id": 1}


@pytest.fixture(scope="module")
def person(product: Product) -> Person:
    return Person(product)


@pytest.fixture(scope="module")
def device(person: Person) -> tuple[str, int, str, str, int]:
    """Its id, the position at which it was made, its second name, and when and where it was removed."""
    made = person.http.post("/devices", json=DEVICE)
    id, name = made.json()["id"], fresh("Greenhouse")
    renamed = person.http.put(f"/devices/{id}", json={"name": name})
    assert renamed.status_code == 200, renamed.text
    meanwhile = datetime.now(UTC).isoformat()
    removed = person.http.delete(f"/devices/{id}")
    position = int(removed.headers["tidemark-position"])
    return id, int(made.headers["tidemark-position"]), name, meanwhile, position


def test_a_device_is_told_as_it_was_at_a_position_and_at_a_time(
    product: Product, auditor: Auditor, device: tuple[str, int, str, str, int]
) -> None:
    id, made, name, meanwhile, removed = device
    first = auditor.get(f"/devices/{id}/state", as_of=made)
    assert first.headers["tidemark-as-of"] == str(made)
    told = first.json()
    assert (told["context"], told["aggregate"], told["id"], told["as_of"]) == ("devices", "devices.device", id, made)
    assert (told["version"], told["position"] <= made, told["state"]["name"]) == (1, True, "Room")
    then = auditor.get(f"/devices/{id}/state", as_of=meanwhile)
    assert made <= int(then.headers["tidemark-as-of"]) < removed
    assert (then.json()["version"], then.json()["state"]["name"]) == (2, name)
    gone = auditor.json(f"/devices/{id}/state")
    assert (gone["version"], gone["position"], gone["state"]) == (3, removed, None)
    command = product.run("audit", "state", "devices", id, "--as-of", meanwhile)
    assert json.loads(command) == then.json()
    history = auditor.json(f"/devices/{id}/history")["events"]
    assert [event["position"] for event in history] == [told["position"], then.json()["position"], removed]


def test_an_account_is_told_without_whom_it_is_of(auditor: Auditor, person: Person) -> None:
    answer = auditor.get(f"/identity/{person.id}/state")
    assert set(answer.json()["state"]) == {"person"}
    assert person.name not in answer.text
    assert "argon2" not in answer.text


def test_what_cannot_be_told_is_said_each_in_its_words(
    auditor: Auditor, person: Person, device: tuple[str, int, str, str, int]
) -> None:
    id, made, *_ = device

    def refused(path: str, **query: str | int) -> tuple[int, str]:
        answer = auditor.get(path, **query)
        return answer.status_code, answer.json()["error"]

    status, said = refused(f"/devices/{id}/state", as_of=1)
    assert (status, said) == (404, f"nothing had happened to {id} by position 1 yet; it began at {made}")
    assert refused(f"/devices/{uuid4()}/state")[0] == 404
    assert refused(f"/streams/{id}/state")[0] == 404, "of another context"
    assert refused(f"/gardens/{id}/state")[0] == 400
    assert refused("/devices/x/state")[0] == 400
    for moment, why in {
        "0": "nothing had happened yet",
        "2000-01-01T00:00:00Z": "nothing had happened by 2000-01-01T00:00:00Z yet",
        "999999999999": "is in the future; the log ends at",
        "2100-01-01T00:00:00Z": "is in the future",
        "yesterday": "as_of is a position, or a time",
    }.items():
        status, said = refused(f"/devices/{id}/state", as_of=moment)
        assert (status, why in said) == (400, True), said
    sensor = person.http.post("/devices", json=DEVICE).json()["id"]
    part = {"name": "t", "type": "t", "data_type_id": 1, "device_id": sensor}
    reading = {"sensor_id": person.http.post("/sensors", json=part).json()["id"], "value": 1}
    assert person.http.post("/sensor-readings", json=reading).status_code == 201
    (event,) = auditor.events(about=sensor, event="devices.readings.recorded")
    status, said = refused(f"/devices/{event['aggregate_id']}/state")
    assert (status, "each event of devices.readings stands for itself" in said) == (422, True), said
