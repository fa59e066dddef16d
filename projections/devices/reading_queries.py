"""What can be asked of the readings: pages, the newest, buckets of time, the history of one, what came in since.

Newest first unless told otherwise: by the device's time, then by id (contract 1.3). A removed sensor's readings are
left out everywhere; for one sensor that is one look at its last cutoff, for all an anti-join with a small table.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal, NamedTuple
from uuid import UUID

import psycopg
import sqlalchemy as sa

from domain.identifiers import VALUES_PER_EVENT
from projections.as_of import moment
from projections.database import Database
from projections.devices.past_readings import LATEST_THEN, listed_then, room_for
from projections.devices.readings import READING_CUTOFFS, READINGS

Order = Literal["asc", "desc"]
Aggregate = Literal["avg", "min", "max", "count"]
AGGREGATES: tuple[Aggregate, ...] = ("avg", "min", "max", "count")

# Rows that are read over in one step by who follows a single sensor.
WINDOW = 10_000
# Questions about very many readings: so long may one take, and so many may be asked at once, that the others'
# connections stay free.
LONG_SECONDS = 30.0
LONG_AT_ONCE = 3
_DEEP = 20_000


class ReadingRow(NamedTuple):
    id: int
    sensor_id: UUID
    value: float
    value_at: datetime


class VersionRow(NamedTuple):
    """A version of a reading: what it said, since when, by whom and through what."""

    value: float
    value_at: datetime
    at: datetime
    actor: str
    what: str


class Place(NamedTuple):
    """Where in the order a page ended."""

    value_at: datetime
    id: int


class Range(NamedTuple):
    """Of which sensor and from when until before when; None is no limit."""

    sensor_id: UUID | None = None
    start: datetime | None = None
    end: datetime | None = None


class Followed(NamedTuple):
    """The readings of one look, the id up to which everything was seen, and whether there may be more already."""

    rows: Sequence[ReadingRow]
    seen: int
    more: bool


class ReadingQueries:
    """Queries. All may raise LogUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._long = asyncio.Semaphore(LONG_AT_ONCE)

    async def list(
        self,
        within: Range,
        limit: int,
        offset: int = 0,
        *,
        order: Order = "desc",
        after: Place | None = None,
    ) -> Sequence[ReadingRow]:
        """A page of the range: what follows `after`, without the first `offset`."""
        if (asked := moment()) is not None:
            return await self._list_then(await asked.resolve(), within, limit, offset, order=order, after=after)
        statement = _listed(
            within.sensor_id is not None, within.start is not None, within.end is not None, after is not None, order
        )
        values: dict[str, Any] = {"limit": limit, "offset": offset, **_values(within)}
        if after is not None:
            values |= {"after_at": after.value_at, "after_id": after.id}
        if offset <= _DEEP:
            rows = await self._database.all(statement, **values)
        else:
            async with self._long:
                rows = await self._database.all(statement, LONG_SECONDS, **values)
        return [ReadingRow._make(row) for row in rows]

    async def _list_then(
        self, position: int, within: Range, limit: int, offset: int, *, order: Order, after: Place | None
    ) -> Sequence[ReadingRow]:
        bounds = within.sensor_id is not None, within.start is not None, within.end is not None, after is not None
        query = listed_then(*bounds, order, room_for(limit, offset))
        values = {"limit": limit, "offset": offset, "position": position, **_values(within)}
        if after is not None:
            values |= {"after_at": after.value_at, "after_id": after.id}
        return [ReadingRow._make(row) for row in await self._database.fetch(query, values)]

    async def find(self, id: int) -> ReadingRow | None:
        row = await self._database.one(_FIND, id=id)
        return ReadingRow._make(row) if row else None

    async def latest(
        self, sensor_id: UUID | None, limit: int | None = None, order: Order = "desc"
    ) -> Sequence[ReadingRow]:
        """The newest reading of the sensor, or of every one that has any."""
        if sensor_id is not None:
            return await self.list(Range(sensor_id), 1)
        query, values = _LATEST[order], {"limit": limit}
        if (asked := moment()) is not None:
            query, values = LATEST_THEN[order], {"limit": limit, "position": await asked.resolve()}
        async with self._long:
            rows = await self._database.fetch(query, values, LONG_SECONDS)
        return [ReadingRow._make(row) for row in rows]

    async def buckets(
        self, within: Range, width: timedelta, aggregates: Sequence[Aggregate], limit: int, order: Order = "asc"
    ) -> Sequence[tuple[Any, ...]]:
        """The sensor's readings summed up by stretches of time, which are counted from 1970: start of the stretch
        and each of the aggregates, for the first `limit` stretches that have any."""
        values = {"limit": limit, "seconds": width.total_seconds(), **_values(within)}
        bounded = (within.start is not None, within.end is not None)
        async with self._long:
            try:
                query = _buckets(*bounded, tuple(aggregates), order, huge=False)
                return await self._database.fetch(query, values, LONG_SECONDS)
            except psycopg.errors.NumericValueOutOfRange:
                query = _buckets(*bounded, tuple(aggregates), order, huge=True)
                return await self._database.fetch(query, values, LONG_SECONDS)

    async def history(self, id: int) -> Sequence[VersionRow]:
        """All versions of the reading, the oldest first; none when it was never recorded."""
        return [VersionRow._make(row) for row in await self._database.fetch(_HISTORY, {"id": id})]

    async def follow(self, sensor_id: UUID | None, after: int, limit: int) -> Followed:
        """What was recorded after the reading `after`, by id, at most `limit`. Ids become visible in their order."""
        window = limit if sensor_id is None else WINDOW
        values = {"after": after, "window": window, "limit": limit, "sensor_id": sensor_id}
        rows = await self._database.fetch(_FOLLOW if sensor_id is None else _FOLLOW_SENSOR, values)
        found = [ReadingRow._make(row[2:]) for row in rows if row[2] is not None]
        if len(found) == limit:
            return Followed(found, found[-1].id, more=True)
        seen, passed, *_ = rows[0]
        return Followed(found, max(after, seen or 0), more=passed == window)


def _values(within: Range) -> dict[str, Any]:
    named = {"sensor_id": within.sensor_id, "start": within.start, "end": within.end}
    return {name: value for name, value in named.items() if value is not None}


_COLUMNS = (READINGS.c.id, READINGS.c.sensor_id, READINGS.c.value, READINGS.c.value_at)
_TIME = sa.DateTime(timezone=True)


def _cutoff(sensor: Any) -> sa.ScalarSelect[Any]:
    """The first id that is shown of the sensor."""
    last = sa.func.coalesce(sa.func.max(READING_CUTOFFS.c.position), sa.literal_column("0")) * sa.literal_column(
        str(VALUES_PER_EVENT)
    )
    return sa.select(last).where(READING_CUTOFFS.c.sensor_id == sensor).scalar_subquery()


_NOT_CUT_OFF = ~(
    sa.select(READING_CUTOFFS.c.position)
    .where(
        READING_CUTOFFS.c.sensor_id == READINGS.c.sensor_id,
        READINGS.c.id < READING_CUTOFFS.c.position * sa.literal_column(str(VALUES_PER_EVENT)),
    )
    .exists()
)


# As the index by time has it, which is of no use for a single sensor and must not be tempting for one.
_BY_TIME: sa.ColumnElement[Any] = sa.literal_column("timezone('UTC', readings.value_at)", sa.DateTime)


@cache
def _listed(one_sensor: bool, start: bool, end: bool, after: bool, order: Order) -> sa.Select[Any]:
    statement = sa.select(*_COLUMNS)
    time: sa.ColumnElement[Any] = READINGS.c.value_at if one_sensor else _BY_TIME

    def moment(name: str) -> sa.ColumnElement[Any]:
        given = sa.bindparam(name, type_=_TIME)
        return given if one_sensor else sa.func.timezone(sa.literal_column("'UTC'"), given)

    if one_sensor:
        sensor_id = sa.bindparam("sensor_id", type_=sa.Uuid)
        # Not the bare id: PostgreSQL would take the primary key for a way to find the sensor's readings.
        shown = READINGS.c.id + sa.literal_column("0") >= _cutoff(sensor_id)
        statement = statement.where(READINGS.c.sensor_id == sensor_id, shown)
    else:
        statement = statement.where(_NOT_CUT_OFF)
    if start:
        statement = statement.where(time >= moment("start"))
    if end:
        statement = statement.where(time < moment("end"))
    if after:
        place = sa.tuple_(time, READINGS.c.id)
        last = sa.tuple_(moment("after_at"), sa.bindparam("after_id", type_=sa.BigInteger))
        statement = statement.where(place > last if order == "asc" else place < last)
    ordered = [column.asc() if order == "asc" else column.desc() for column in (time, READINGS.c.id)]
    return (
        statement.order_by(*ordered)
        .limit(sa.bindparam("limit", type_=sa.BigInteger))
        .offset(sa.bindparam("offset", type_=sa.BigInteger))
    )


_FIND = sa.select(*_COLUMNS).where(READINGS.c.id == sa.bindparam("id", type_=sa.BigInteger), _NOT_CUT_OFF)

# Jumps from sensor to sensor in the index instead of reading what lies between.
_EACH_LATEST = f"""
    WITH RECURSIVE sensor(id) AS (
        (SELECT sensor_id FROM readings ORDER BY sensor_id LIMIT 1)
        UNION ALL
        SELECT (SELECT r.sensor_id FROM readings r WHERE r.sensor_id > s.id ORDER BY r.sensor_id LIMIT 1)
        FROM sensor s WHERE s.id IS NOT NULL
    )
    SELECT latest.* FROM sensor s CROSS JOIN LATERAL (
        SELECT r.id, r.sensor_id, r.value, r.value_at FROM readings r
        WHERE r.sensor_id = s.id AND r.id + 0 >= (
            SELECT coalesce(max(c.position), 0) * {VALUES_PER_EVENT} FROM reading_cutoffs c WHERE c.sensor_id = s.id
        )
        ORDER BY r.value_at DESC, r.id DESC LIMIT 1
    ) latest
    ORDER BY latest.value_at {{order}}, latest.id {{order}} LIMIT %(limit)s::bigint
"""
_LATEST: dict[Order, bytes] = {
    "asc": _EACH_LATEST.format(order="ASC").encode(),
    "desc": _EACH_LATEST.format(order="DESC").encode(),
}

_AGGREGATES: dict[Aggregate, str] = {
    "avg": "avg(value)",
    "min": "min(value)",
    "max": "max(value)",
    "count": "count(*)",
}
# For values of which not even the squares can be added up: exact, because two to the fortieth only moves the point.
_HUGE_AVERAGE = "sum(CASE WHEN abs(value) > 1 THEN value / 1099511627776 ELSE 0 END) / count(*) * 1099511627776"


@cache
def _buckets(start: bool, end: bool, aggregates: tuple[Aggregate, ...], order: Order, *, huge: bool) -> bytes:
    """Goes from one stretch that has readings to the next in the index, so that nothing is read beyond the last one
    asked for, and nothing is hashed or sorted. The first may begin before the year 1, which no client could read."""
    sums = ", ".join(_HUGE_AVERAGE if huge and name == "avg" else _AGGREGATES[name] for name in aggregates)
    width, zero = "make_interval(secs => %(seconds)s::float8)", "'1970-01-01T00:00:00Z'::timestamptz"
    shown = f"""
        readings WHERE sensor_id = %(sensor_id)s AND id + 0 >= (
            SELECT coalesce(max(position), 0) * {VALUES_PER_EVENT} FROM reading_cutoffs
            WHERE sensor_id = %(sensor_id)s
        ) {"AND value_at >= %(start)s" if start else ""} {"AND value_at < %(end)s" if end else ""}
    """
    direction, beyond = ("ASC", f">= b.start + {width}") if order == "asc" else ("DESC", "< b.start")
    return f"""
        WITH RECURSIVE bucket(start, number) AS (
            SELECT date_bin({width}, (SELECT value_at FROM {shown} ORDER BY value_at {direction} LIMIT 1), {zero}), 1
            UNION ALL
            SELECT date_bin({width}, (
                SELECT value_at FROM {shown} AND value_at {beyond} ORDER BY value_at {direction} LIMIT 1
            ), {zero}), b.number + 1
            FROM bucket b WHERE b.start IS NOT NULL AND b.number < %(limit)s::int
        )
        SELECT greatest(b.start, '0001-01-01T00:00:00Z'), summed.* FROM bucket b CROSS JOIN LATERAL (
            SELECT {sums} FROM {shown} AND value_at >= b.start AND value_at < b.start + {width}
        ) summed
        WHERE b.start IS NOT NULL ORDER BY b.number
    """.encode()


# Who recorded it stands in the log alone: a name beside each of millions of readings would be a third of the table.
_RECORDED_AT = f"(%(id)s::bigint / {VALUES_PER_EVENT})"
_HISTORY = f"""
    SELECT value, value_at, at,
           coalesce(actor, (SELECT convert_from(e.state, 'UTF8')::json ->> 'actor' FROM events e
                            WHERE e.notification_id = {_RECORDED_AT}), ''),
           what
    FROM (
        SELECT {_RECORDED_AT} AS since, value, value_at, received_at AS at, NULL::text AS actor, 'recorded' AS what
        FROM readings r WHERE id = %(id)s AND NOT EXISTS (SELECT FROM reading_versions v WHERE v.id = r.id)
        UNION ALL
        SELECT valid_from, value, value_at, at, actor, what FROM reading_versions WHERE id = %(id)s
        UNION ALL
        (SELECT c.position, r.value, r.value_at, c.at, c.actor, 'removed'
         FROM readings r JOIN reading_cutoffs c ON c.sensor_id = r.sensor_id AND c.position > {_RECORDED_AT}
         WHERE r.id = %(id)s ORDER BY c.position LIMIT 1)
    ) versions
    ORDER BY since
""".encode()

_FOLLOWED = f"""
    WITH passed AS MATERIALIZED (
        SELECT id, sensor_id, value, value_at FROM readings WHERE id > %(after)s::bigint
        ORDER BY id LIMIT %(window)s::bigint
    )
    SELECT seen.*, shown.* FROM (SELECT max(id), count(*) FROM passed) seen(id, passed) LEFT JOIN (
        SELECT * FROM passed p WHERE {{those}} NOT EXISTS (
            SELECT FROM reading_cutoffs c WHERE c.sensor_id = p.sensor_id AND p.id < c.position * {VALUES_PER_EVENT}
        )
        ORDER BY id LIMIT %(limit)s::bigint
    ) shown ON true
    ORDER BY shown.id
"""
_FOLLOW = _FOLLOWED.format(those="").encode()
_FOLLOW_SENSOR = _FOLLOWED.format(those="p.sensor_id = %(sensor_id)s AND").encode()
