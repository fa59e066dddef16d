"""What is current: the last value of each metric of each device, visible until it expires (contract metrics 1.5, 1.6).

A row is written over with every report and stays when its value has expired: that a device ever reported is what
tells an empty list from an unknown host. Nobody sweeps; a query asks what has not expired at its `now`.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from psycopg.rows import TupleRow

from domain.identifiers import metric_id
from domain.metrics.report import Nature, nature
from domain.metrics.reports import MetricsReported
from projections.as_of import moment, reading_as_of
from projections.batch import Batch
from projections.database import Database
from projections.metrics.current_pages import CurrentPages
from projections.metrics.current_past import ALL_THEN, OF_DEVICE_THEN, OF_METRIC_THEN
from projections.metrics.current_rows import CURRENT_METRICS, METRIC_PAGES
from projections.readmodel import Target

DEVICE_REMOVED = "devices.device.removed.v1"

# Values that are read at a time by who wants them all.
AT_ONCE = 5_000


class CurrentMetrics:
    """The read model `current_metrics`."""

    name: ClassVar[str] = "current_metrics"
    version: ClassVar[int] = 3
    tables: ClassVar[Sequence[sa.Table]] = (CURRENT_METRICS, METRIC_PAGES)

    def __init__(self) -> None:
        self._pages = CurrentPages()
        self._next = 0

    async def apply(self, batch: Batch, to: Target) -> None:
        if batch[0].position != self._next:
            self._pages.forget()  # the last batch was not committed
        self._next = 0  # until all of it is done
        pages, removed = self._pages, dict[UUID, int]()
        await pages.know(
            {one.event.device_id for one in batch.of(MetricsReported) if isinstance(one.event, MetricsReported)}, to
        )
        for one in batch.of(MetricsReported, DEVICE_REMOVED):
            event = one.event
            if isinstance(event, MetricsReported):
                if event.device_id in removed:
                    await pages.write(to)
                    await pages.remove({event.device_id: removed.pop(event.device_id)}, to)
                pages.add(event.device_id, event.reports, one.position, one.envelope.at)
            elif event.topic == DEVICE_REMOVED:
                removed.setdefault(one.aggregate_id, one.position)
        await pages.write(to)
        if removed:
            await pages.remove(removed, to)
        self._next = batch[-1].position + 1


class DeviceMetric(NamedTuple):
    """A metric of one device that has not expired."""

    name: str
    nature: Nature
    units: str
    value: int | float | str


class MetricValue(NamedTuple):
    """The value of the metric that was asked for, of one device."""

    device_id: UUID
    value: int | float | str


class FleetMetric(NamedTuple):
    """A metric over all devices that have a value of it: as the first of them reports it; the smallest and the largest
    of those that report the same kind of number, None where it is a text."""

    name: str
    nature: Nature
    units: str
    min: int | float | None
    max: int | float | None


class CurrentValue(NamedTuple):
    """A value of any metric of any device that has not expired."""

    name: str
    device_id: UUID
    nature: Nature
    units: str
    value: int | float | str
    reported_at: datetime


class CurrentMetricQueries:
    """Queries. All may raise LogUnavailableError. `now` decides what has not expired."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_device(self, device_id: UUID, now: datetime) -> Sequence[DeviceMetric] | None:
        """By name. None when the device never reported anything."""
        rows = await self._all(OF_DEVICE_THEN, _OF_DEVICE, device_id=device_id)
        if not rows:
            return None
        return [
            DeviceMetric(name, nature(type, slope), units, _value(type, number, words))
            for name, type, slope, units, number, words, expires_at in rows
            if expires_at >= now
        ]

    async def of_metric(self, name: str, now: datetime) -> Sequence[MetricValue]:
        """By device id. None at all when no device has a value of it."""
        rows = await self._all(OF_METRIC_THEN, _OF_METRIC, metric_id=metric_id(name), now=now)
        return [MetricValue(device_id, _value(type, number, words)) for device_id, type, number, words in rows]

    async def over_devices(self, now: datetime) -> Sequence[FleetMetric]:
        """Every metric that any device has a value of, by name."""
        rows = await self._all(ALL_THEN, _OVER_DEVICES, now=now)
        first: dict[UUID, tuple[str, str, str, str]] = {}
        least: dict[UUID, float] = {}
        most: dict[UUID, float] = {}
        for id, name, type, slope, units, low, high in rows:  # by when it was first reported so
            of_first = first.setdefault(id, (name, type, slope, units))
            if low is not None and _KINDS[type] == _KINDS[of_first[1]]:
                least[id], most[id] = min(low, least.get(id, low)), max(high, most.get(id, high))
        found = [
            FleetMetric(name, nature(type, slope), units, _number(type, least.get(id)), _number(type, most.get(id)))
            for id, (name, type, slope, units) in first.items()
        ]
        return sorted(found)

    async def everything(self, now: datetime) -> AsyncIterator[CurrentValue]:
        """All there is, one metric after the other and in each by device id; some thousands are read at a time."""
        place = {"after_metric": UUID(int=0), "after_device": UUID(int=0)}
        # Which pages held then is looked up once for all of it.
        at_once = AT_ONCE if moment() is None else _ALL
        while rows := await self._all(ALL_THEN, _EVERYTHING, now=now, limit=at_once, **place):
            for _, device_id, name, type, slope, units, number, words, reported_at in rows:
                value = _value(type, number, words)
                yield CurrentValue(name, device_id, nature(type, slope), units, value, reported_at)
            if len(rows) < at_once:
                return
            place = {"after_metric": rows[-1][0], "after_device": rows[-1][1]}

    async def _all(self, then: str, statement: sa.Select[Any], **values: Any) -> Sequence[TupleRow]:
        """The rows of a statement, of the moment that is asked for; `then` tells those that it looks at."""
        asked = moment()
        if asked is None:
            return await self._database.all(statement, **values)
        position = await asked.resolve()
        with reading_as_of(None):
            return await self._database.all_of(CURRENT_METRICS, then, statement, position=position, **values)


_ALL = 2**62

_KINDS = {
    **dict.fromkeys(("int8", "int16", "int32"), "signed"),
    **dict.fromkeys(("uint8", "uint16", "uint32"), "unsigned"),
    **dict.fromkeys(("float", "double"), "float"),
    "string": "string",
}


def _number(type: str, number: float | None) -> int | float | None:
    return number if number is None or _KINDS[type] == "float" else int(number)


def _value(type: str, number: float, words: str) -> int | float | str:
    if type == "string":
        return words
    return number if _KINDS[type] == "float" else int(number)


_C = CURRENT_METRICS.c
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_BY_NAME = _C.name.collate("C")

_OF_DEVICE = (
    sa.select(_C.name, _C.type, _C.slope, _C.units, _C.number, _C.words, _C.expires_at)
    .where(_C.device_id == sa.bindparam("device_id", type_=sa.Uuid))
    .order_by(_BY_NAME)
)
_OF_METRIC = (
    sa.select(_C.device_id, _C.type, _C.number, _C.words)
    .where(_C.metric_id == sa.bindparam("metric_id", type_=sa.Uuid), _C.expires_at >= _NOW)
    .order_by(_C.device_id)
)
_OVER_DEVICES = (
    sa.select(_C.metric_id, _C.name, _C.type, _C.slope, _C.units, sa.func.min(_C.number), sa.func.max(_C.number))
    .where(_C.expires_at >= _NOW)
    .group_by(_C.metric_id, _C.name, _C.type, _C.slope, _C.units)
    .order_by(sa.func.min(_C.since))
)
_EVERYTHING = (
    sa.select(
        *(_C.metric_id, _C.device_id, _C.name, _C.type, _C.slope),
        *(_C.units, _C.number, _C.words, _C.reported_at),
    )
    .where(
        _C.expires_at >= _NOW,
        sa.tuple_(_C.metric_id, _C.device_id)
        > sa.tuple_(sa.bindparam("after_metric", type_=sa.Uuid), sa.bindparam("after_device", type_=sa.Uuid)),
    )
    .order_by(_C.metric_id, _C.device_id)
    .limit(sa.bindparam("limit", type_=sa.BigInteger))
)
