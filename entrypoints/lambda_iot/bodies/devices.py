"""Devices. The `external_id` is ours: an extra field, for other systems that have names of their own."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from domain.devices.device import Correction, Status
from domain.value import Value
from entrypoints.lambda_iot.errors import BadRequestError
from entrypoints.lambda_iot.fields import integer, json_object, optional, short_text, text

LONGEST_EXTERNAL_ID = 255


class RegisterDeviceBody(Value):
    name: str
    description: str
    location: str
    status_id: Status
    external_id: str | None


def register_device_body(body: bytes | msgspec.Raw) -> RegisterDeviceBody:
    fields = json_object(body)
    return RegisterDeviceBody(
        name=short_text(fields, "name"),
        description=short_text(fields, "description"),
        location=short_text(fields, "location"),
        status_id=_status_id(fields, "status_id"),
        external_id=_external_id(fields, "external_id") or None,
    )


def correct_device_body(body: bytes) -> Correction:
    """Any subset of the fields. `external_id` is the one that null means something for: it is taken away."""
    fields = json_object(body)
    return Correction(
        name=optional(fields, "name", short_text),
        description=optional(fields, "description", short_text),
        location=optional(fields, "location", short_text),
        status=optional(fields, "status_id", _status_id),
        external_id=_external_id(fields, "external_id") if "external_id" in fields else None,
    )


def _status_id(fields: Mapping[str, Any], name: str) -> Status:
    return cast("Status", integer(fields, name, 1, 4))


def _external_id(fields: Mapping[str, Any], name: str) -> str:
    """Empty for none."""
    if fields.get(name) in (None, ""):
        return ""
    external_id = text(fields, name, longest=LONGEST_EXTERNAL_ID)
    if not external_id.isprintable():
        raise BadRequestError(f"invalid {name}")
    return external_id
