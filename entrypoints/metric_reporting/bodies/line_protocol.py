"""InfluxDB's line protocol: `measurement,tag=text field=value,field=value timestamp`, a line for each moment.

A field is a metric, called `measurement.field`, or only `measurement` where the field is called `value`, followed by
the tags that do not name the device.
"""

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple
from uuid import UUID

from domain.metrics.report import MetricType, Report
from entrypoints.metric_reporting.series import TTL, Label, Named, among, label_of, named

DEVICE_TAGS = ("device", "host", "instance")

# Seconds in each unit that a timestamp may have.
UNITS: Mapping[str, float] = {
    **dict.fromkeys(("", "n", "ns"), 1e-9),
    **dict.fromkeys(("u", "us", "µ"), 1e-6),
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}

# `\` before any of these takes its meaning from it; before everything else it is a `\`.
_TO_UNESCAPE = re.compile(r"\\([,= \\])")
_TO_UNESCAPE_IN_TEXT = re.compile(r'\\(["\\])')
# Up to the first blank, the comma and the equals sign that are not escaped.
_KEY = re.compile(r"(?:[^\\ ]|\\.)+")
_PIECE = re.compile(r"(?:[^\\,]|\\.)+")
_PAIR = re.compile(r"((?:[^\\=]|\\.)+)=(.+)", re.DOTALL)
_FIELD = re.compile(r'((?:[^\\=, ]|\\.)+)=("(?:[^"\\]|\\.)*"|[^, "]+)(?:,|(?= )|\Z)')
_REST = re.compile(r" *(-?\d{1,19})? *\r?\Z")
_WHOLE = re.compile(r"[-+]?\d{1,19}[iu]\Z")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\Z")
_TRUTHS = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), 1),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), 0),
}


class LineError(ValueError):
    """Why a line is none."""


class Field(NamedTuple):
    name: str
    value: float | str
    type: MetricType


class Line(NamedTuple):
    """`named` are the devices that it may be of, the likeliest first, and what is appended to the names of metrics if
    it is. `at` in the unit of the request; None: now."""

    measurement: str
    named: Sequence[Named]
    fields: Sequence[Field]
    at: int | None


def lines_in(body: bytes) -> dict[int, Line | LineError]:
    """By their number, the first is 1. Comments and blank lines are none."""
    found: dict[int, Line | LineError] = {}
    for number, encoded in enumerate(body.split(b"\n"), 1):
        stripped = encoded.strip()
        if not stripped or stripped.startswith(b"#"):
            continue
        try:
            found[number] = line_in(stripped.decode())
        except UnicodeDecodeError:
            found[number] = LineError("not UTF-8")
        except LineError as wrong:
            found[number] = wrong
    return found


def line_in(text: str) -> Line:
    """Raises LineError."""
    key = _KEY.match(text)
    if key is None:
        raise LineError("missing measurement")
    first, *pieces = _PIECE.findall(key[0])
    if key[0].startswith(",") or _plain(first).isspace():
        raise LineError("missing measurement")
    fields, rest = _fields(text, key.end())
    timestamp = _REST.match(text, rest)
    if timestamp is None:
        raise LineError("bad timestamp")
    return Line(
        _plain(first), named("", _tags(pieces), DEVICE_TAGS), fields, int(timestamp[1]) if timestamp[1] else None
    )


def reports_of(line: Line, devices: Mapping[str, UUID], seconds: float, now: float) -> tuple[str, list[Report]]:
    """What the device is called, and the reports. `devices` are those that there are, `seconds` is the unit of the
    timestamp and `now` in seconds since the epoch. Raises LineError for a device that there is not and for a moment
    too long ago."""
    whose = among(line.named, devices)
    if whose is None:
        raise LineError(f"unknown device: {line.named[0].device}" if line.named else "no tag names the device")
    if line.at is not None and line.at * seconds < now - TTL:
        raise LineError(f"older than {TTL} seconds, after which a value has expired")
    return whose.device, [
        Report(
            name=_metric(line, field) + whose.metric,
            value=field.value,
            units="",
            type=field.type,
            slope="both",
            ttl=TTL,
        )
        for field in line.fields
    ]


def _metric(line: Line, field: Field) -> str:
    return line.measurement if field.name == "value" else f"{line.measurement}.{field.name}"


def _tags(pieces: Sequence[str]) -> list[Label]:
    """By name; of two with one name the last."""
    tags: dict[str, Label] = {}
    for piece in pieces:
        pair = _PAIR.match(piece)
        if pair is None:
            raise LineError(f"bad tag: {piece}")
        name = _plain(pair[1])
        tags[name] = label_of(name, _plain(pair[2]))
    return sorted(tags.values())


def _fields(text: str, start: int) -> tuple[list[Field], int]:
    """And where they end."""
    at = start
    while text[at : at + 1] == " ":
        at += 1
    fields: list[Field] = []
    while found := _FIELD.match(text, at):
        fields.append(_field(_plain(found[1]), found[2]))
        at = found.end()
        if found[0][-1] != ",":
            return fields, at
    raise LineError("missing fields" if at >= len(text) else f"bad field: {text[at : at + 40]}")


def _field(name: str, text: str) -> Field:
    """All numbers are doubles, so that a counter does not change its type when it grows beyond 32 bits."""
    if text[0] == '"':
        return Field(name, _TO_UNESCAPE_IN_TEXT.sub(r"\1", text[1:-1]), "string")
    if (truth := _TRUTHS.get(text)) is not None:
        return Field(name, truth, "uint8")
    if _WHOLE.match(text):
        return Field(name, float(text[:-1]), "double")
    value = float(text) if _NUMBER.match(text) else float("nan")
    if not isfinite(value):
        raise LineError(f"bad number: {text[:40]}")
    return Field(name, value, "double")


def _plain(text: str) -> str:
    return _TO_UNESCAPE.sub(r"\1", text) if "\\" in text else text
