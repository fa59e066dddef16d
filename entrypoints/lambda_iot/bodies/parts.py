"""Sensors and actors, which have the same fields."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from domain.devices.part import PartCorrection
from domain.value import Value
from entrypoints.lambda_iot.fields import integer, json_object, optional, reference, short_text

LARGEST_DATA_TYPE = 2**63 - 1


class AddPartBody(Value):
    device_id: UUID
    name: str
    type: str
    data_type_id: int


def add_part_body(body: bytes) -> AddPartBody:
    fields = json_object(body)
    return AddPartBody(
        device_id=reference(fields, "device_id"),
        name=short_text(fields, "name"),
        type=short_text(fields, "type"),
        data_type_id=_data_type_id(fields, "data_type_id"),
    )


def correct_part_body(body: bytes) -> PartCorrection:
    """Any subset of the fields. Another `device_id` moves the part to that device."""
    fields = json_object(body)
    return PartCorrection(
        device_id=optional(fields, "device_id", reference),
        name=optional(fields, "name", short_text),
        type=optional(fields, "type", short_text),
        data_type_id=optional(fields, "data_type_id", _data_type_id),
    )


def _data_type_id(fields: Mapping[str, Any], name: str) -> int:
    return integer(fields, name, 1, LARGEST_DATA_TYPE)
