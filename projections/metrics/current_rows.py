"""The last value of each metric of each device: a row that is written over with every report, and what the rows of one
device were at an earlier moment, as keyframes (docs/adr/0023)."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from domain.identifiers import VALUES_PER_EVENT, metric_id
from domain.metrics.report import Report
from domain.metrics.reports import MetricsReported
from projections.batch import Batch
from projections.database import METADATA, storable
from projections.keyframes import Folding, Happened, Keyframes, Told, keyframe_table
from projections.readmodel import Target

# `since` orders devices by when they first reported the metric. A value is a number or words.
CURRENT_METRICS = sa.Table(
    "current_metrics",
    METADATA,
    sa.Column("device_id", sa.Uuid, primary_key=True),
    sa.Column("metric_id", sa.Uuid, primary_key=True),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("slope", sa.Text, nullable=False),
    sa.Column("units", sa.Text, nullable=False),
    sa.Column("number", sa.Double),
    sa.Column("words", sa.Text),
    sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
)

# Of each device.
CURRENT_METRIC_KEYFRAMES = keyframe_table("current_metric_keyframes")

_TYPES: dict[type, str] = {
    sa.Uuid: "uuid",
    sa.BigInteger: "bigint",
    sa.Text: "text",
    sa.Double: "float8",
    sa.DateTime: "timestamptz",
}
_ARRAYS = ", ".join(f"%(row_{column.name})b::{_TYPES[type(column.type)]}[]" for column in CURRENT_METRICS.columns)
UNNESTED = f"unnest({_ARRAYS})"
"""Rows of the table, as values of a query."""

DEVICE_REMOVED = "devices.device.removed.v1"

_NAMES = [f"row_{column.name}" for column in CURRENT_METRICS.columns]

# A keyframe has all metrics of the device. It comes sooner where an event has many of them as well.
_MANY = _OF_MANY = 16

# Later than that nobody asks, and the calendar ends.
_FOREVER = datetime(9000, 1, 1, tzinfo=UTC)
_LONG = timedelta(days=365 * 1000)


class CurrentRow(NamedTuple):
    """As the table has it, behind the device and the metric."""

    since: int
    name: str
    type: str
    slope: str
    units: str
    number: float | None
    words: str | None
    reported_at: datetime
    expires_at: datetime


class Reported(NamedTuple):
    """What a row is made of: the newest report, and which of all reports of the metric was the first."""

    since: int
    report: Report
    at: datetime

    def row(self) -> CurrentRow:
        since, report, at = self
        return CurrentRow(
            since,
            storable(report.name),
            report.type,
            report.slope,
            storable(report.units),
            None if isinstance(report.value, str) else float(report.value),
            storable(report.value) if isinstance(report.value, str) else None,
            at,
            at + timedelta(seconds=report.ttl) if report.ttl < _LONG.total_seconds() else _FOREVER,
        )


Metrics = dict[UUID, CurrentRow | Reported]
"""Those of one device. Rows are made at the end only, since most reports are followed by others."""


def columns_of(devices: dict[UUID, Metrics]) -> dict[str, Sequence[object]]:
    """The rows as UNNESTED takes them."""
    rows = [
        (device, metric, *(row.row() if isinstance(row, Reported) else row))
        for device, metrics in devices.items()
        for metric, row in metrics.items()
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(_NAMES)
    return {name: list(values) for name, values in zip(_NAMES, columns, strict=True)}


def told_of_devices(batch: Batch) -> list[Told]:
    told = []
    for one in batch.of(MetricsReported, DEVICE_REMOVED):
        if isinstance(one.event, MetricsReported):
            told.append(Told(one.event.device_id, one, every=_OF_MANY if len(one.event.reports) >= _MANY else 0))
        elif one.event.topic == DEVICE_REMOVED:
            told.append(Told(one.aggregate_id, one, ends=True))
    return told


def _evolve(metrics: Metrics, happened: Happened) -> Metrics:
    """In place: there may be hundreds, and nobody else has them."""
    if isinstance(happened.event, MetricsReported):
        for since, report in enumerate(happened.event.reports, happened.position * VALUES_PER_EVENT):
            id = metric_id(report.name)
            before = metrics.get(id)
            metrics[id] = Reported(before[0] if before else since, report, happened.at)
    return metrics


def _encode(metrics: Metrics) -> bytes:
    """Column by column, since that packs better; an id only where it does not follow from the name as it is kept."""
    rows = [
        (id, row.row() if isinstance(row, Reported) else row) for id, row in sorted(metrics.items(), key=_first_seen)
    ]
    ids = [None if metric_id(row.name) == id else id.bytes for id, row in rows]
    return msgspec.msgpack.encode([ids, *zip(*(row for _, row in rows), strict=True)])


def _first_seen(one: tuple[UUID, CurrentRow | Reported]) -> int:
    return one[1][0]


_kept = msgspec.msgpack.Decoder(list[Any]).decode


def _decode(frame: bytes) -> Metrics:
    ids, *columns = _kept(frame)
    rows = map(CurrentRow._make, zip(*columns, strict=True))
    return {metric_id(row.name) if id is None else UUID(bytes=id): row for id, row in zip(ids, rows, strict=True)}


METRICS: Folding[Metrics] = Folding(CURRENT_METRIC_KEYFRAMES, 128, dict, _evolve, _encode, _decode)


def metric_keyframes() -> Keyframes[Metrics]:
    return Keyframes(METRICS, _present)


async def _present(devices: Collection[UUID], to: Target) -> dict[UUID, Metrics]:
    query = f"SELECT * FROM {to.name(CURRENT_METRICS)} WHERE device_id = ANY(%s)"
    cursor = to.connection.cursor(binary=True)
    await cursor.execute(query.encode(), (list(devices),), prepare=True)
    found: dict[UUID, Metrics] = {}
    for device, metric, *row in await cursor.fetchall():
        found.setdefault(device, {})[metric] = CurrentRow(*row)
    return found
