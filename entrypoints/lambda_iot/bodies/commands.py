"""What devices are asked for."""

from typing import Any

from msgspec import UNSET, UnsetType

from domain.value import Value
from entrypoints.lambda_iot.fields import json_object, optional_text, text

DEFAULT_ACTION = "read"


class WriteActorBody(Value):
    action: str
    value: Any | UnsetType


def trigger_sensor_body(body: bytes) -> str:
    """The action. The whole body may be left out."""
    return (optional_text(json_object(body), "action") if body.strip() else None) or DEFAULT_ACTION


def write_actor_body(body: bytes) -> WriteActorBody:
    """An absent value is another thing than null."""
    fields = json_object(body)
    return WriteActorBody(action=text(fields, "action"), value=fields.get("value", UNSET))
