"""The bodies of this contract's answers: compact JSON, keys in the daemon's order, a line break at the end."""

from collections.abc import Mapping
from typing import Any

import msgspec

from entrypoints.exchange import Answer, position_headers
from projections.metrics.current import DeviceMetric, FleetMetric
from projections.positions import Freshness

JSON = b"application/json; charset=utf-8"

_encode = msgspec.json.Encoder().encode


def json_body(body: Any) -> bytes:
    return json_text(body) + b"\n"


def json_text(body: Any) -> bytes:
    """Nothing of it means anything to a browser that takes it for a page."""
    encoded = _encode(body)
    for character, escaped in _ESCAPED:
        if character in encoded:
            encoded = encoded.replace(character, escaped)
    return encoded


def read(body: Any, seen: Freshness) -> Answer:
    """What was read at a position."""
    return Answer(json_body(body), headers=position_headers(seen), type=JSON)


def device_metric_view(metric: DeviceMetric) -> Mapping[str, Any]:
    return {
        "id": metric.name,
        "name": metric.name,
        "nature": metric.nature,
        "units": metric.units,
        "value": number(metric.value),
    }


def fleet_metric_view(metric: FleetMetric) -> Mapping[str, Any]:
    return {
        "id": metric.name,
        "max": None if metric.max is None else number(metric.max),
        "min": None if metric.min is None else number(metric.min),
        "name": metric.name,
        "nature": metric.nature,
        "units": metric.units,
    }


def number(value: float | str) -> int | float | str:
    """A whole number is written without a fraction, whatever its type, as the daemon does."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _LONGEST:
        return int(value)
    return value


# Beyond that a float is written with an exponent.
_LONGEST = 1e15
_ESCAPED = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))

DONE = Answer(json_body({"status": 200}), type=JSON)
