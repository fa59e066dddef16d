"""Topics and their partitions: how much there is, since when, how fast it comes, and what lies on which day.

What a partition was after each of its entries is kept too, so that it can be asked as of any moment without reading the
messages of then: some hundred bytes for each request that brought messages, however many those were.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import date, datetime
from math import exp
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

import sqlalchemy as sa

from domain.streams.partition import MessagesProduced
from domain.streams.topic import DayClosed, Disposal, Retention, RetentionSet
from projections.as_of import POSITION
from projections.batch import Batch
from projections.database import METADATA, Database
from projections.readmodel import Target


def _partition_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("partition", sa.SmallInteger, primary_key=True),
        sa.Column("messages", sa.BigInteger, nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("first_offset", sa.BigInteger, nullable=False),
        sa.Column("first_entries", sa.BigInteger, nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rate", sa.Double, nullable=False),
    ]


_COLUMNS = ", ".join(column.name for column in _partition_columns() if not column.primary_key)

STREAM_PARTITIONS = sa.Table(
    "stream_partitions",
    METADATA,
    *_partition_columns(),
    info={
        "as_of": f"""
            SELECT p.name, p.partition, m.* FROM public.stream_partitions p CROSS JOIN LATERAL (
                SELECT {_COLUMNS} FROM public.stream_partition_moments m
                WHERE m.name = p.name COLLATE "C" AND m.partition = p.partition AND m.position <= {POSITION}
                ORDER BY m.position DESC LIMIT 1
            ) m
        """
    },
)

# What a row of the other table was from a position on. Partitions do not go away.
STREAM_PARTITION_MOMENTS = sa.Table(
    "stream_partition_moments",
    METADATA,
    *_partition_columns(),
    sa.Column("position", sa.BigInteger, primary_key=True),
)

# Which topics there are, from which position on. They do not go away.
STREAM_TOPICS = sa.Table(
    "stream_topics",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("since", sa.BigInteger, nullable=False),
    info={"as_of": f"SELECT * FROM public.stream_topics WHERE since <= {POSITION}"},
)

STREAM_DAYS = sa.Table(
    "stream_days",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("partition", sa.SmallInteger, primary_key=True),
    sa.Column("messages", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("first_offset", sa.BigInteger, nullable=False),
    sa.Column("first_entries", sa.BigInteger, nullable=False),
)

STREAM_RETENTION = sa.Table(
    "stream_retention",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("max_age_days", sa.BigInteger),
    sa.Column("max_bytes", sa.BigInteger),
    sa.Column("disposal", sa.Text, nullable=False),
    sa.Column("valid_from", sa.BigInteger, primary_key=True),
    sa.Column("valid_to", sa.BigInteger),
)

# The rate is that of about the last minute.
RATE_SECONDS = 60.0

# So many rows are kept in memory, some 300 bytes each.
REMEMBERED_ROWS = 50_000

PartitionKey = tuple[str, int]
DayKey = tuple[str, date, int]


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """`messages` and `entries` are the end of the partition, `first_…` where it begins; `bytes` is what is kept between
    the two. `rate` is messages a second when the last one came."""

    name: str
    partition: int
    messages: int
    entries: int
    bytes: int
    first_offset: int
    first_entries: int
    first_at: datetime
    last_at: datetime
    rate: float

    def rate_at(self, now: datetime) -> float:
        """As if it had faded since the last message."""
        return self.rate * exp(-max(0.0, (now - self.last_at).total_seconds()) / RATE_SECONDS)


@dataclass(frozen=True, slots=True)
class DayRow:
    """What came to a partition on one day (UTC), and where it begins there."""

    name: str
    day: date
    partition: int
    messages: int
    bytes: int
    first_offset: int
    first_entries: int


class Topics:
    """The read model `topics`. It remembers the rows as the tables have them after the last batch, and forgets them all
    when the next one does not follow on that: then that one was not committed."""

    name: ClassVar[str] = "topics"
    version: ClassVar[int] = 3
    tables: ClassVar[Sequence[sa.Table]] = (
        *(STREAM_TOPICS, STREAM_PARTITIONS, STREAM_PARTITION_MOMENTS),
        *(STREAM_DAYS, STREAM_RETENTION),
    )

    def __init__(self) -> None:
        self._partitions: dict[PartitionKey, PartitionRow] = {}
        self._days: dict[DayKey, DayRow] = {}
        self._next = 0

    async def apply(self, batch: Batch, to: Target) -> None:
        if batch[0].position != self._next or len(self._days) > REMEMBERED_ROWS:
            self._forget()
        self._next = 0
        waiting: list[_Produced] = []
        for one in batch.of(MessagesProduced, RetentionSet, DayClosed):
            if isinstance(one.event, MessagesProduced):
                waiting.append(_Produced(one.event, one.envelope.at, one.position))
            elif isinstance(one.event, RetentionSet):
                await _set_retention(one.event, one.position, to)
            elif isinstance(one.event, DayClosed):
                await self._add(waiting, to)  # they may be of that day
                waiting = []
                await _close(one.event, one.position, to)
                self._forget()
        await self._add(waiting, to)
        self._next = batch[-1].position + 1

    def _forget(self) -> None:
        self._partitions.clear()
        self._days.clear()

    async def _add(self, produced: Sequence["_Produced"], to: Target) -> None:
        if not produced:
            return
        if unknown := {one.partition for one in produced} - self._partitions.keys():
            self._partitions |= await _partitions(unknown, to)
        if new := {one.day for one in produced} - self._days.keys():
            self._days |= await _days(new, to)
        moments: list[tuple[object, ...]] = []
        begun: dict[str, int] = {}
        for one in produced:
            if one.partition not in self._partitions:
                begun.setdefault(one.event.name, one.position)
            event, size = one.event, len(bytes(one.event.values))
            row = self._partitions[one.partition] = _grown(self._partitions.get(one.partition), event, one.at, size)
            moments.append((*_values(row), one.position))
            before = self._days.get(one.day) or DayRow(*one.day, 0, 0, event.offset, event.entry - 1)
            self._days[one.day] = replace(before, messages=before.messages + event.count, bytes=before.bytes + size)
        partitions, days = {one.partition for one in produced}, {one.day for one in produced}
        await _put(STREAM_PARTITIONS, [_values(self._partitions[key]) for key in partitions], to)
        await _put(STREAM_DAYS, [astuple(self._days[key]) for key in days], to)
        await _keep(moments, to)
        if begun:
            await _begin(begun, to)


class _Produced(NamedTuple):
    event: MessagesProduced
    at: datetime
    position: int

    @property
    def partition(self) -> PartitionKey:
        return (self.event.name, self.event.partition)

    @property
    def day(self) -> DayKey:
        return (self.event.name, self.at.date(), self.event.partition)


_values = attrgetter(*PartitionRow.__slots__)


def _grown(row: PartitionRow | None, event: MessagesProduced, at: datetime, size: int) -> PartitionRow:
    come = event.count / RATE_SECONDS
    if row is None:
        first = (event.offset, event.entry - 1, at)
        return PartitionRow(
            event.name, event.partition, event.offset + event.count, event.entry, size, *first, at, come
        )
    return replace(
        row,
        messages=event.offset + event.count,
        entries=event.entry,
        bytes=row.bytes + size,
        last_at=max(at, row.last_at),
        rate=row.rate_at(at) + come,
    )


async def _partitions(keys: Collection[PartitionKey], to: Target) -> dict[PartitionKey, PartitionRow]:
    query = f"""
        SELECT t.* FROM unnest(%b::text[], %b::smallint[]) k(name, partition)
        JOIN {to.name(STREAM_PARTITIONS)} t USING (name, partition)
    """
    cursor = to.connection.cursor(binary=True)
    await cursor.execute(query.encode(), [list(column) for column in zip(*keys, strict=True)], prepare=True)
    rows = [PartitionRow(*row) for row in await cursor.fetchall()]
    return {(row.name, row.partition): row for row in rows}


async def _days(keys: Collection[DayKey], to: Target) -> dict[DayKey, DayRow]:
    query = f"""
        SELECT t.* FROM unnest(%b::text[], %b::date[], %b::smallint[]) k(name, day, partition)
        JOIN {to.name(STREAM_DAYS)} t USING (name, day, partition)
    """
    cursor = to.connection.cursor(binary=True)
    await cursor.execute(query.encode(), [list(column) for column in zip(*keys, strict=True)], prepare=True)
    rows = [DayRow(*row) for row in await cursor.fetchall()]
    return {(row.name, row.day, row.partition): row for row in rows}


async def _put(table: sa.Table, rows: Sequence[tuple[object, ...]], to: Target) -> None:
    keys = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if not column.primary_key]
    types = {"TEXT": "text", "SMALLINT": "smallint", "BIGINT": "bigint", "DATE": "date", "DATETIME": "timestamptz"}
    arrays = ", ".join(f"%b::{types.get(str(column.type), 'double precision')}[]" for column in table.columns)
    query = f"""
        INSERT INTO {to.name(table)} SELECT * FROM unnest({arrays})
        ON CONFLICT ({", ".join(keys)}) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in others)}
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    await to.connection.execute(query.encode(), columns, prepare=True)


async def _keep(moments: Sequence[tuple[object, ...]], to: Target) -> None:
    copying = f"COPY {to.name(STREAM_PARTITION_MOMENTS)} FROM STDIN (FORMAT binary)"
    async with to.connection.cursor().copy(copying.encode()) as copy:
        copy.set_types(("text", "int2", *["int8"] * 5, "timestamptz", "timestamptz", "float8", "int8"))
        for row in moments:
            await copy.write_row(row)


async def _begin(topics: Mapping[str, int], to: Target) -> None:
    """A topic that is there already has got another partition."""
    query = (
        f"INSERT INTO {to.name(STREAM_TOPICS)} SELECT * FROM unnest(%b::text[], %b::bigint[]) ON CONFLICT DO NOTHING"
    )
    await to.connection.execute(query.encode(), (list(topics), list(topics.values())), prepare=True)


async def _set_retention(event: RetentionSet, position: int, to: Target) -> None:
    table, retention = to.name(STREAM_RETENTION), event.retention
    ending = f"UPDATE {table} SET valid_to = %s WHERE name = %s AND valid_to IS NULL"
    await to.connection.execute(ending.encode(), (position, event.name))
    values = (event.name, retention.max_age_days, retention.max_bytes, retention.disposal, position)
    await to.connection.execute(f"INSERT INTO {table} VALUES (%s, %s, %s, %s, %s)".encode(), values)


async def _close(event: DayClosed, position: int, to: Target) -> None:
    """What lay on the days up to this one is not kept any more."""
    query = f"""
        WITH gone AS (
            DELETE FROM {to.name(STREAM_DAYS)} WHERE name = %s AND day <= %s RETURNING partition, bytes
        ), sizes AS (SELECT partition, sum(bytes) AS bytes FROM gone GROUP BY partition),
        firsts AS (SELECT * FROM unnest(%s::smallint[], %s::bigint[], %s::bigint[]) f(partition, first, entries))
        UPDATE {to.name(STREAM_PARTITIONS)} p SET
            bytes = p.bytes - coalesce((SELECT s.bytes FROM sizes s WHERE s.partition = p.partition), 0),
            first_offset = f.first, first_entries = f.entries,
            first_at = greatest(p.first_at, (%s::date + 1)::timestamp AT TIME ZONE 'UTC')
        FROM firsts f WHERE p.name = %s AND p.partition = f.partition
    """
    firsts = (
        list(range(len(event.first))),
        [one.offset for one in event.first],
        [one.entries for one in event.first],
    )
    await to.connection.execute(query.encode(), (event.name, event.day, *firsts, event.day, event.name))
    keeping = f"""
        INSERT INTO {to.name(STREAM_PARTITION_MOMENTS)} SELECT *, %s FROM {to.name(STREAM_PARTITIONS)} WHERE name = %s
    """
    await to.connection.execute(keeping.encode(), (position, event.name))


_PARTITIONS = b"SELECT * FROM stream_partitions WHERE name = ANY(%(names)b) ORDER BY name, partition"
_NAMES = b"""
    SELECT name FROM stream_topics WHERE name > %(after)b ORDER BY name LIMIT %(limit)b
"""
_RETENTION = b"SELECT max_age_days, max_bytes, disposal FROM stream_retention WHERE name = %s AND valid_to IS NULL"
_RETAINED = b"""
    SELECT name, max_age_days, max_bytes, disposal FROM stream_retention WHERE valid_to IS NULL ORDER BY name
"""
_DAYS = b"SELECT * FROM stream_days WHERE name = %s ORDER BY day, partition"


class RetainedTopic(NamedTuple):
    name: str
    retention: Retention


class TopicQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_names(self, after: str, limit: int) -> Sequence[str]:
        """In their order, from behind `after`."""
        return [name for (name,) in await self._database.fetch(_NAMES, {"after": after, "limit": limit})]

    async def list_partitions(self, names: Sequence[str]) -> Sequence[PartitionRow]:
        """Of all these topics; a partition to which nothing came is not there."""
        return [PartitionRow(*row) for row in await self._database.fetch(_PARTITIONS, {"names": list(names)})]

    async def retention(self, name: str) -> Retention:
        rows = await self._database.fetch(_RETENTION, (name,))
        return _retention(*rows[0]) if rows else Retention()

    async def list_retained(self) -> Sequence[RetainedTopic]:
        """The topics whose retention was ever set."""
        rows = await self._database.fetch(_RETAINED)
        return [RetainedTopic(name, _retention(*limits)) for name, *limits in rows]

    async def list_days(self, name: str) -> Sequence[DayRow]:
        return [DayRow(*row) for row in await self._database.fetch(_DAYS, (name,))]


def _retention(max_age_days: int | None, max_bytes: int | None, disposal: Disposal) -> Retention:
    return Retention(max_age_days=max_age_days, max_bytes=max_bytes, disposal=disposal)
