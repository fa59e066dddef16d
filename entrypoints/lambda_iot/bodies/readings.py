"""Readings."""

from datetime import datetime
from math import isfinite

import msgspec

from application.parsing import parse_rfc3339, parse_uuid
from domain.devices.readings import Reading
from domain.value import Value
from entrypoints.lambda_iot.errors import BadRequestError
from entrypoints.lambda_iot.fields import json_object, number, optional_time, text


class CorrectReadingBody(Value):
    """What is None stays as it is."""

    value: float | None
    value_at: datetime | None


def record_reading_body(body: bytes) -> Reading:
    fields = json_object(body)
    sensor_id = parse_uuid(text(fields, "sensor_id"))
    if sensor_id is None:
        raise BadRequestError("invalid sensor_id")
    return Reading(sensor_id=sensor_id, value=number(fields, "value"), value_at=optional_time(fields, "value_at"))


def correct_reading_body(body: bytes) -> CorrectReadingBody:
    fields = json_object(body)
    value = None if fields.get("value") is None else number(fields, "value")
    return CorrectReadingBody(value=value, value_at=optional_time(fields, "value_at"))


class _Plain(Value):
    """A reading as nearly all are; whatever does not look like this is read slowly."""

    sensor_id: str
    value: float
    value_at: str | None = None


_decode_plain = msgspec.json.Decoder(_Plain).decode


def record_reading_line(line: bytes | msgspec.Raw) -> Reading:
    """The same as `record_reading_body` for one of very many, at a third of the cost."""
    try:
        plain = _decode_plain(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return record_reading_body(bytes(line))
    sensor_id = parse_uuid(plain.sensor_id)
    value_at = None if plain.value_at is None else parse_rfc3339(plain.value_at)
    if sensor_id is None or (value_at is None and plain.value_at is not None) or not isfinite(plain.value):
        return record_reading_body(bytes(line))
    return Reading(sensor_id=sensor_id, value=plain.value, value_at=value_at)
