"""Which rows an event makes in the tables of analytics."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa

from adapters.analytics.log_pages import StoredRow
from adapters.analytics.schemas import AT, EVENTS, SCHEMAS
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.shown import public_data
from domain.identifiers import VALUES_PER_EVENT

Row = tuple[Any, ...]


class _Envelope(msgspec.Struct, gc=False):
    """The stored form with its times and ids left as text: Arrow reads a whole column of them at once."""

    id: str
    at: str
    actor: str
    source: str
    correlation_id: str
    data: msgspec.Raw
    causation_id: str | None = None


class _Reading(msgspec.Struct, gc=False):
    sensor_id: str
    value: float
    value_at: str | None = None


class _Readings(msgspec.Struct, gc=False):
    device_id: str
    readings: list[_Reading]


class _Report(msgspec.Struct, gc=False):
    name: str
    value: float | str
    units: str
    type: str
    ttl: int


class _Reports(msgspec.Struct, gc=False):
    device_id: str
    reports: list[_Report]


class _Presence(msgspec.Struct, gc=False):
    through: str | None = None
    reason: str | None = None


class _Command(msgspec.Struct, gc=False):
    command_id: str
    device_id: str | None = None
    kind: str | None = None
    action: str | None = None
    part_id: str | None = None
    status: str | None = None
    reason: str | None = None
    error: str | None = None


class _Produced(msgspec.Struct, gc=False):
    name: str
    partition: int
    offset: int
    count: int


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_readings = msgspec.json.Decoder(_Readings).decode
_decode_reports = msgspec.json.Decoder(_Reports).decode
_decode_presence = msgspec.json.Decoder(_Presence).decode
_decode_command = msgspec.json.Decoder(_Command).decode
_decode_produced = msgspec.json.Decoder(_Produced).decode


def _readings(position: int, id: str, at: str, data: bytes) -> Sequence[Row]:
    told = _decode_readings(data)
    first = position * VALUES_PER_EVENT
    return [
        (position, at, first + index, told.device_id, reading.sensor_id, reading.value_at or at, reading.value)
        for index, reading in enumerate(told.readings)
    ]


def _metrics(position: int, id: str, at: str, data: bytes) -> Sequence[Row]:
    told = _decode_reports(data)
    return [
        (
            position,
            at,
            told.device_id,
            report.name,
            None if isinstance(report.value, str) else report.value,
            report.value if isinstance(report.value, str) else None,
            report.units,
            report.type,
            report.ttl,
        )
        for report in told.reports
    ]


def _presence(is_there: bool, reason: str | None = None) -> "Rows":
    def rows(position: int, id: str, at: str, data: bytes) -> Sequence[Row]:
        told = _decode_presence(data)
        return [(position, at, id, is_there, told.through, told.reason or reason)]

    return rows


def _command(step: str) -> "Rows":
    def rows(position: int, id: str, at: str, data: bytes) -> Sequence[Row]:
        told = _decode_command(data)
        reason = told.reason or told.error
        asked = (told.device_id, told.kind, told.action, told.part_id)
        return [(position, at, told.command_id, step, *asked, told.status, reason)]

    return rows


def _messages(position: int, id: str, at: str, data: bytes) -> Sequence[Row]:
    told = _decode_produced(data)
    return [(position, at, told.name, told.partition, told.offset, told.count)]


Rows = Callable[[int, str, str, bytes], Sequence[Row]]
"""From an event's position, aggregate, time and data."""

# What is told of a device that was removed: it is gone by every road.
_TYPED: Mapping[str, tuple[str, Rows]] = {
    "devices.readings.recorded.v1": ("readings", _readings),
    "metrics.reports.recorded.v1": ("metrics", _metrics),
    "devices.device.connected.v1": ("presence", _presence(True)),
    "devices.device.disconnected.v1": ("presence", _presence(False)),
    "devices.device.removed.v1": ("presence", _presence(False, "removed")),
    "devices.command.issued.v1": ("commands", _command("issued")),
    "devices.command.published.v1": ("commands", _command("published")),
    "devices.command.answered.v1": ("commands", _command("answered")),
    "devices.command.failed.v1": ("commands", _command("failed")),
    "devices.command.timed_out.v1": ("commands", _command("timed_out")),
    "streams.partition.produced.v1": ("messages", _messages),
}
TYPED_TOPICS: Final = frozenset(_TYPED)


class Part(NamedTuple):
    """What goes into one folder: rows of one table, of one day, and of one context if the table has several."""

    table: str
    context: str
    day: str

    @property
    def folder(self) -> str:
        kind = f"context={self.context}" if self.table == EVENTS else f"telemetry={self.table}"
        return f"{kind}/day={self.day}"


class _Place(NamedTuple):
    """Where the events of a topic and a day go: all of them to `events`, some to a table of their own too."""

    events: list[Row]
    typed: list[Row]
    rows_of: "Rows | None"


class Collected:
    """Rows of a run of the log, by where they go."""

    def __init__(self, mapper: Mapper) -> None:
        self._mapper = mapper
        self._places: dict[tuple[str, str], _Place] = {}
        self._is_plain: dict[str, bool] = {}
        # Telemetry has a stream for a device and a day, so that most ids come again and again.
        self._ids: dict[int, str] = {}
        self.parts: dict[Part, list[Row]] = {}
        self.events = self.bytes = 0
        self.last = 0

    def add(self, rows: Sequence[StoredRow]) -> None:
        for row in rows:
            position, aggregate_id, version, topic, state = row
            envelope = _decode_envelope(state)
            at = envelope.at
            place = self._places.get((topic, at[:10])) or self._place(topic, at[:10])
            id = self._ids.get(aggregate_id.int)
            if id is None:
                id = self._ids[aggregate_id.int] = str(aggregate_id)
            data = bytes(envelope.data) if self._is_plain[topic] else self._shown(topic, state)
            place.events.append(
                (
                    position,
                    envelope.id,
                    at,
                    envelope.actor,
                    envelope.source,
                    envelope.correlation_id,
                    envelope.causation_id,
                    topic,
                    id,
                    version,
                    data,
                )
            )
            if place.rows_of is not None:
                place.typed.extend(place.rows_of(position, id, at, data))
            self.bytes += len(state)
        if rows:
            self.events += len(rows)
            self.last = int(rows[-1][0])

    def tables(self) -> Iterator[tuple[Part, Any]]:
        for part, rows in self.parts.items():
            yield part, table_of(part.table, rows)

    def _place(self, topic: str, day: str) -> _Place:
        self._is_plain[topic] = self._mapper.is_public(topic)
        events = self.parts.setdefault(Part(EVENTS, topic.partition(".")[0], day), [])
        table, rows_of = _TYPED.get(topic, ("", None))
        typed = self.parts.setdefault(Part(table, "", day), []) if rows_of else []
        place = self._places[topic, day] = _Place(events, typed, rows_of)
        return place

    def _shown(self, topic: str, state: bytes) -> bytes:
        return public_data(topic, self._mapper.stored(state), self._mapper)


def table_of(name: str, rows: Sequence[Row]) -> Any:
    """Arrow's table of the rows, in the order they came."""
    schema = SCHEMAS[name]
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    return pa.table(
        [_column(field.name, field.type, values) for field, values in zip(schema, columns, strict=True)], schema=schema
    )


def _column(name: str, kind: Any, values: Iterable[Any]) -> Any:
    if kind == AT:
        return pa.array(values, pa.string()).cast(AT)
    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode()
    if name == "data":
        # A whole column of bytes is found to be text twelve times as fast as each of them.
        return pa.array(values, pa.binary()).cast(pa.string())
    return pa.array(values, kind)
