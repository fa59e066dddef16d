"""The history of numeric metrics: the tables and what events do to them. What can be asked is in `history_queries`.

A row of `metric_series` is written with every report; its bytes are what the arithmetic knows of the series, and its
newest points. Every five minutes these move to `metric_points`, which holds 240 points in a row, in rings: the next
block takes the place of the oldest, so that the tables do not grow and nobody has to sweep (docs/adr/0017).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from domain.identifiers import VALUES_PER_EVENT, metric_id
from domain.metrics.grid import ARCHIVES
from domain.metrics.reports import MetricsReported
from domain.metrics.series import begin, report
from projections.as_of import POSITION
from projections.batch import Batch
from projections.database import METADATA, storable
from projections.metrics.current import DEVICE_REMOVED
from projections.metrics.packed import Block, BlockKey, Line, packed, unpacked
from projections.readmodel import Target

METRIC_SERIES = sa.Table(
    "metric_series",
    METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("device_id", sa.Uuid, nullable=False),
    sa.Column("metric_id", sa.Uuid, nullable=False),
    sa.Column("state", sa.LargeBinary, nullable=False),
    info={"as_of": f"SELECT * FROM public.metric_series WHERE id < ({POSITION} + 1) * {VALUES_PER_EVENT}"},
)

METRIC_POINTS = sa.Table(
    "metric_points",
    METADATA,
    sa.Column("series_id", sa.BigInteger, primary_key=True),
    sa.Column("archive", sa.SmallInteger, primary_key=True),
    sa.Column("slot", sa.SmallInteger, primary_key=True),
    sa.Column("first", sa.BigInteger, nullable=False),
    sa.Column("averages", sa.LargeBinary, nullable=False),
    sa.Column("spreads", sa.LargeBinary, nullable=False),
    info={"as_of": "SELECT * FROM public.metric_points"},
)

METRIC_NAMES = sa.Table(
    "metric_names",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    info={"as_of": "SELECT * FROM public.metric_names"},
)

# So many series are kept in memory; some 700 bytes each.
REMEMBERED_SERIES = 250_000

# None is a metric of which no number was ever reported.
Lines = dict[UUID, dict[str, Line | None]]


class MetricHistory:
    """The read model `metric_history`.

    It remembers the series as the tables have them after the last batch, and forgets them all when the next one does
    not follow on that: then that one was not committed.
    """

    name: ClassVar[str] = "metric_history"
    version: ClassVar[int] = 1
    tables: ClassVar[Sequence[sa.Table]] = (METRIC_SERIES, METRIC_POINTS, METRIC_NAMES)

    def __init__(self) -> None:
        self._lines: Lines = {}
        self._remembered = 0
        self._next = 0

    async def apply(self, batch: Batch, to: Target) -> None:
        if batch[0].position != self._next:
            self._forget()
        self._next = 0
        concerned = batch.of(MetricsReported, DEVICE_REMOVED)
        await self._remember([one.event for one in concerned if isinstance(one.event, MetricsReported)], to)
        changes = _Changes(self._lines)
        for one in concerned:
            if isinstance(one.event, MetricsReported):
                changes.report(one.event, one.position * VALUES_PER_EVENT, int(one.envelope.at.timestamp()))
            elif one.event.topic == DEVICE_REMOVED:
                changes.remove(one.aggregate_id)
        await changes.write(to)
        self._next = batch[-1].position + 1

    def _forget(self) -> None:
        self._lines.clear()
        self._remembered = 0

    async def _remember(self, events: Sequence[MetricsReported], to: Target) -> None:
        """Makes sure that every series is known of which these events speak."""
        unknown = _unknown(events, self._lines)
        if self._remembered + len(unknown) > REMEMBERED_SERIES:
            self._forget()
            unknown = _unknown(events, self._lines)
        if not unknown:
            return
        self._remembered += len(unknown)
        names = {(device_id, metric_id(name)): name for device_id, name in unknown}
        query = f"""
            SELECT s.device_id, s.metric_id, s.id, s.state FROM unnest(%b::uuid[], %b::uuid[]) n(device_id, metric_id)
            JOIN {to.name(METRIC_SERIES)} s USING (device_id, metric_id)
        """
        columns = ([device_id for device_id, _ in names], [metric for _, metric in names])
        cursor = to.connection.cursor(binary=True)
        await cursor.execute(query.encode(), columns, prepare=True)
        for device_id, metric, id, state in await cursor.fetchall():
            self._lines[device_id][names[device_id, metric]] = unpacked(id, state)


def _unknown(events: Iterable[MetricsReported], lines: Lines) -> Sequence[tuple[UUID, str]]:
    """The series that are not remembered. Each gets its place, with nothing known of it."""
    unknown = []
    for event in events:
        of_device = lines.setdefault(event.device_id, {})
        for one in event.reports:
            if one.name not in of_device:
                of_device[one.name] = None
                unknown.append((event.device_id, one.name))
    return unknown


class _Changes:
    """What a batch does to the tables, each row once."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._removed: list[UUID] = []
        self._begun: dict[int, tuple[UUID, str]] = {}
        self._changed: dict[int, Line] = {}
        self._blocks: dict[BlockKey, Block] = {}

    def report(self, event: MetricsReported, number: int, at: int) -> None:
        of_device, changed = self._lines[event.device_id], self._changed
        for id, one in enumerate(event.reports, number):
            line = of_device[one.name]
            value = None if isinstance(one.value, str) else float(one.value)
            if line is None:
                if value is None:
                    continue
                line = of_device[one.name] = Line(id, begin(at))
                self._begun[id] = (event.device_id, one.name)
            changed[line.id] = line
            if line.take(*report(line.series, at, value, one.ttl)):
                line.move(self._blocks)

    def remove(self, device_id: UUID) -> None:
        self._removed.append(device_id)
        of_device = self._lines.get(device_id, {})
        gone = {line.id for line in of_device.values() if line}
        self._changed = {id: line for id, line in self._changed.items() if id not in gone}
        self._begun = {id: key for id, key in self._begun.items() if id not in gone}
        self._blocks = {key: block for key, block in self._blocks.items() if key[0] not in gone}
        of_device.update(dict.fromkeys(of_device))

    async def write(self, to: Target) -> None:
        if self._removed:
            await _remove(self._removed, to)
        states = {id: packed(line) for id, line in self._changed.items()}
        if self._begun:
            await _begin(self._begun, states, to)
        if len(states) > len(self._begun):
            kept = [id for id in states if id not in self._begun]
            query = f"""
                UPDATE {to.name(METRIC_SERIES)} s SET state = n.state
                FROM unnest(%b::bigint[], %b::bytea[]) n(id, state) WHERE s.id = n.id
            """
            await to.connection.execute(query.encode(), (kept, [states[id] for id in kept]), prepare=True)
        if self._blocks:
            await _put(self._blocks, to)


async def _remove(device_ids: Sequence[UUID], to: Target) -> None:
    series = to.name(METRIC_SERIES)
    of_devices = f"SELECT id FROM {series} WHERE device_id = ANY(%s)"
    points = f"DELETE FROM {to.name(METRIC_POINTS)} WHERE series_id IN ({of_devices})"
    await to.connection.execute(points.encode(), (device_ids,))
    await to.connection.execute(f"DELETE FROM {series} WHERE device_id = ANY(%s)".encode(), (device_ids,))


async def _begin(begun: Mapping[int, tuple[UUID, str]], states: Mapping[int, bytes], to: Target) -> None:
    columns = "id, device_id, metric_id, state"
    copying = f"COPY {to.name(METRIC_SERIES)} ({columns}) FROM STDIN (FORMAT binary)"
    async with to.connection.cursor().copy(copying.encode()) as copy:
        copy.set_types(("int8", "uuid", "uuid", "bytea"))
        for id, (device_id, name) in begun.items():
            await copy.write_row((id, device_id, metric_id(name), states[id]))
    names = {metric_id(name): storable(name) for _, name in begun.values()}
    query = f"INSERT INTO {to.name(METRIC_NAMES)} SELECT * FROM unnest(%b::uuid[], %b::text[]) ON CONFLICT DO NOTHING"
    await to.connection.execute(query.encode(), (list(names), list(names.values())), prepare=True)


_STEPS = f"(ARRAY[{', '.join(str(archive.step) for archive in ARCHIVES)}])[p.archive + 1]"
_FOLLOWS = f"p.first + octet_length(p.averages) / 8 * {_STEPS} = excluded.first"
_PUT = f"""
    INSERT INTO {{table}} AS p
    SELECT * FROM unnest(%b::bigint[], %b::smallint[], %b::smallint[], %b::bigint[], %b::bytea[], %b::bytea[])
    ON CONFLICT (series_id, archive, slot) DO UPDATE SET
        first = CASE WHEN {_FOLLOWS} THEN p.first ELSE excluded.first END,
        averages = CASE WHEN {_FOLLOWS} THEN p.averages || excluded.averages ELSE excluded.averages END,
        spreads = CASE WHEN {_FOLLOWS} THEN p.spreads || excluded.spreads ELSE excluded.spreads END
"""


async def _put(blocks: Mapping[BlockKey, Block], to: Target) -> None:
    """What follows a row is added to it; otherwise the block before it in the ring makes room."""
    rows = [(*key, *block) for key, block in blocks.items()]
    columns = [list(column) for column in zip(*rows, strict=True)]
    await to.connection.execute(_PUT.format(table=to.name(METRIC_POINTS)).encode(), columns, prepare=True)
