"""What can be asked of the history: a metric of one device or of all, point by point, and which metrics have one.

No event is read. Points come from three places: the archive, the series' row for the newest, and the value that is
fed on, for what time alone has written since the last report (docs/adr/0017).
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from itertools import groupby, zip_longest
from operator import itemgetter
from typing import Any, Literal, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from domain.identifiers import metric_id
from domain.metrics.grid import ARCHIVES, Grid
from domain.metrics.series import Summary, fed, rounded
from projections.as_of import moment
from projections.database import Database
from projections.metrics.history import METRIC_NAMES, METRIC_POINTS, METRIC_SERIES
from projections.metrics.history_past import HistoryPast, last_missing
from projections.metrics.packed import BLOCK, Line, averages, spreads, unpacked

What = Literal["average", "min", "max", "count"]
WHATS: tuple[What, ...] = ("average", "min", "max", "count")

# So many devices are read at a time; in between others have their turn, and more than that are never in memory.
DEVICES_AT_ONCE = 100
# So long may each of these reads take when everybody is busy.
LONG_SECONDS = 30.0

Values = Sequence[float | None]
"""One for each point of the grid; None is not known, or not yet."""


class DeviceHistory(NamedTuple):
    device_id: UUID
    values: Values


class MetricHistoryQueries:
    """Queries. All may raise LogUnavailableError. `now` is the whole second up to which time has written.

    Averages, minima and maxima have eleven digits. `count` is how many points of 15 seconds are known in one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._past = HistoryPast(database)

    async def find(self, device_id: UUID, name: str, grid: Grid, now: int, what: What = "average") -> Values | None:
        """The metric of the device on the grid. None when no number of it was ever reported."""
        end: int | None = None
        if (asked := moment()) is not None:
            end = await self._past.end(await asked.resolve(), device_id, metric_id(name), now)
        rows = await self._database.all(_FIND[what], device_id=device_id, **_wanted(name, grid))
        if not rows:
            return None
        if end is not None:
            await self._past.require_known(_missing(rows, grid, now, end), grid)
        return _values(rows, grid, now, what, end)

    async def devices(self, name: str) -> Sequence[UUID]:
        """Every device that ever had the metric, by id."""
        if (asked := moment()) is not None:
            await self._past.require_still_there(await asked.resolve(), metric=metric_id(name))
        return [id for (id,) in await self._database.all(_DEVICES, metric_id=metric_id(name))]

    async def over_devices(
        self, devices: Sequence[UUID], name: str, grid: Grid, now: int, what: What = "average"
    ) -> AsyncGenerator[DeviceHistory, None]:
        """The metric of these devices, in their order and without those that never had it; one at a time, since
        together they are large. While some are looked at the next are read."""
        ends: Mapping[UUID, int] = {}
        if (asked := moment()) is not None:
            ends = await self._past.ends(await asked.resolve(), devices, metric_id(name), now)
            # All before the first, since an answer that has begun cannot be refused any more.
            async for rows in self._by_device(devices, name, grid, what):
                if (end := ends.get(rows[0][0])) is not None:
                    await self._past.require_known(_missing(rows, grid, now, end), grid)
        async for rows in self._by_device(devices, name, grid, what):
            id = rows[0][0]
            yield DeviceHistory(id, _values(rows, grid, now, what, ends.get(id)))

    async def _by_device(
        self, devices: Sequence[UUID], name: str, grid: Grid, what: What
    ) -> AsyncGenerator[Sequence[Any], None]:
        """The rows of each."""
        wanted = _wanted(name, grid)
        groups = [devices[at : at + DEVICES_AT_ONCE] for at in range(0, len(devices), DEVICES_AT_ONCE)]

        async def read(group: Sequence[UUID]) -> Sequence[Any]:
            return await self._database.all(_OVER_DEVICES[what], LONG_SECONDS, **wanted, devices=list(group))

        reading: asyncio.Task[Sequence[Any]] | None = None
        try:
            for group, following in zip_longest(groups, groups[1:]):
                rows = await (reading or read(group))
                reading = asyncio.create_task(read(following)) if following else None
                of_device = {id: list(its) for id, its in groupby(rows, key=itemgetter(0))}
                for id in group:
                    if id in of_device:
                        yield of_device[id]
        finally:
            if reading:
                reading.cancel()

    async def names(self, device_id: UUID | None = None) -> Sequence[str]:
        """The metrics of which there is a history, of the device or of any, sorted by their bytes."""
        if (asked := moment()) is not None:
            await self._past.require_still_there(await asked.resolve(), device_id)
        if device_id is None:
            return [name for (name,) in await self._database.all(_NAMES)]
        return [name for (name,) in await self._database.all(_NAMES_OF_DEVICE, device_id=device_id)]


def _wanted(name: str, grid: Grid) -> dict[str, Any]:
    return {
        "metric_id": metric_id(name),
        "archive": grid.archive,
        "after": max(min(grid.first - BLOCK * grid.step, _BIGGEST), -_BIGGEST),
        "until": max(min(grid.times[-1], _BIGGEST), -_BIGGEST),
    }


_BIGGEST = 2**62


def _values(rows: Sequence[Sequence[Any]], grid: Grid, now: int, what: What, end: int | None = None) -> Values:
    """Of one series: rows of its device, its id, its state, and one block each. Nothing behind `end` is told."""
    _, id, state, *_ = rows[0]
    line = unpacked(id, state)
    values: list[float | None] = [None] * grid.length
    oldest = _oldest(grid, now)
    for _, _, _, first, block, spread in rows:
        if block is not None:
            _place(values, grid, oldest, first, _of_block(block, spread, what))
    for first, points in _newest(line, grid.archive, now):
        _place(values, grid, oldest, first, [_of_point(point, what) for point in points])
    if end is not None:
        told = min(grid.length, max(0, (end - grid.first) // grid.step + 1))
        values[told:] = [None] * (grid.length - told)
    return values


def _oldest(grid: Grid, now: int) -> int:
    """What lies further back is still there until its block is needed, and in no answer."""
    return max(grid.first, (now - ARCHIVES[grid.archive].kept) // grid.step * grid.step + grid.step)


def _missing(rows: Sequence[Sequence[Any]], grid: Grid, now: int, end: int) -> Mapping[int, int]:
    """Of the series, the last time on the grid and not behind `end` of which nothing is there; none if all is."""
    _, id, state, *_ = rows[0]
    segments = [(first, len(block) // 8) for *_, first, block, _ in rows if block is not None]
    segments += [(first, len(points)) for first, points in _newest(unpacked(id, state), grid.archive, now)]
    last = min(end // grid.step * grid.step, grid.times[-1])
    missing = last_missing(segments, grid.step, _oldest(grid, now), last)
    return {} if missing is None else {id: missing}


def _newest(line: Line, archive: int, now: int) -> Iterable[tuple[int, Sequence[float | Summary]]]:
    yield list(line.newest())[archive]
    series, completed = fed(line.series, now)
    yield list(Line(line.id, series, *completed).newest())[archive]


def _place(values: list[float | None], grid: Grid, oldest: int, first: int, points: Sequence[float]) -> None:
    """Points from `first` on, as far as they lie on the grid and are not older than `oldest`."""
    skipped = max(0, (oldest - first) // grid.step)
    at = (first - grid.first) // grid.step + skipped
    shown: Sequence[float | None] = points[skipped : max(skipped, skipped + grid.length - at)]
    if (total := sum(points)) != total:  # as a rule all are known, and looking at each takes long
        shown = [None if point != point else point for point in points[skipped : skipped + len(shown)]]
    values[at : at + len(shown)] = shown


def _of_block(block: bytes, spread: bytes, what: What) -> Sequence[float]:
    points = averages(block)
    if what == "average":
        return points
    if not spread:
        return [_of_point(point, what) for point in points]
    column = {"min": 0, "max": 1, "count": 2}[what]
    return [one[column] for one in spreads(spread)]


def _of_point(point: float | Summary, what: What) -> float:
    if not isinstance(point, Summary):
        return int(point == point) if what == "count" else rounded(point)
    match what:
        case "average":
            return rounded(point.average)
        case "min":
            return rounded(point.low)
        case "max":
            return rounded(point.high)
        case "count":
            return point.known


_S, _P = METRIC_SERIES.c, METRIC_POINTS.c
_METRIC = _S.metric_id == sa.bindparam("metric_id", type_=sa.Uuid)
_DEVICE = _S.device_id == sa.bindparam("device_id", type_=sa.Uuid)
_FEW = (
    sa.select(METRIC_SERIES)
    .where(_METRIC, _S.device_id == sa.any_(sa.bindparam("devices", type_=ARRAY(sa.Uuid))))
    .subquery("few")
)


def _with_blocks(series: sa.FromClause, what: What) -> sa.Select[Any]:
    """A row for each block of the series that may lie on the grid; one without where there is none."""
    blocks = sa.and_(
        _P.series_id == series.c.id,
        _P.archive == sa.bindparam("archive", type_=sa.SmallInteger),
        _P.first > sa.bindparam("after", type_=sa.BigInteger),
        _P.first <= sa.bindparam("until", type_=sa.BigInteger),
    )
    # Spreads lie elsewhere and are only fetched when they are wanted.
    spread = sa.null() if what == "average" else _P.spreads
    columns = (series.c.device_id, series.c.id, series.c.state, _P.first, _P.averages, spread)
    return sa.select(*columns).select_from(series.outerjoin(METRIC_POINTS, blocks))


_FIND: dict[What, sa.Select[Any]] = {what: _with_blocks(METRIC_SERIES, what).where(_DEVICE, _METRIC) for what in WHATS}
_OVER_DEVICES: dict[What, sa.Select[Any]] = {
    what: _with_blocks(_FEW, what).order_by(_FEW.c.device_id) for what in WHATS
}
_DEVICES = sa.select(_S.device_id).where(_METRIC).order_by(_S.device_id)
_NAME = METRIC_NAMES.c.name.collate("C")
_NAMES = (
    sa.select(METRIC_NAMES.c.name)
    .where(sa.select(_S.id).where(_S.metric_id == METRIC_NAMES.c.id).exists())
    .order_by(_NAME)
)
_NAMES_OF_DEVICE = (
    sa.select(METRIC_NAMES.c.name)
    .select_from(METRIC_SERIES.join(METRIC_NAMES, METRIC_NAMES.c.id == _S.metric_id))
    .where(_DEVICE)
    .order_by(_NAME)
)
