"""Making, changing and removing what the registry holds, as the tests of several cases do it."""

from typing import Any
from uuid import UUID

import httpx

from tests.conformance.lambda_iot.client import Api

DEVICE = {"name": "Room Sensor", "description": "Living room", "location": "Floor 1", "status_id": 1}
PART = {"name": "Temperature", "type": "temp", "data_type_id": 1}
KINDS = ("sensor", "actor")


def put(person: Api, path: str, body: Any) -> httpx.Response:
    """`body`: bytes as they are, everything else as JSON."""
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    return person.request("PUT", path, **sent)


def delete(person: Api, path: str) -> httpx.Response:
    return person.request("DELETE", path)


def new_device(person: Api, **fields: Any) -> str:
    """The id of a device just made."""
    made = person.post("/devices", {**DEVICE, **fields})
    assert made.status_code == 201, made.text
    return id_of(made)


def new_part(person: Api, device: str, kind: str = "sensor", **fields: Any) -> str:
    """The id of a sensor or an actor just made."""
    made = person.post(f"/{kind}s", {"device_id": device, **PART, **fields})
    assert made.status_code == 201, made.text
    return id_of(made)


def id_of(made: httpx.Response) -> str:
    body = made.json()
    assert set(body) == {"id"}
    assert UUID(body["id"]).version == 4
    return str(body["id"])


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}
