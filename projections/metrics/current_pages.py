"""Writes current values: the rows of them, and the pages that rows are cut into."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import accumulate, chain
from typing import NamedTuple
from uuid import UUID

from domain.identifiers import VALUES_PER_EVENT, metric_id
from domain.metrics.report import Report
from projections.arrays import Integers, Numbers, Times, microseconds, take_arrays
from projections.database import storable
from projections.metrics.current_rows import CURRENT_METRICS, LONG, METRIC_PAGES, PAGE, expires_sql, moment_of, time_sql
from projections.readmodel import Target

# So many rows are remembered, some 300 bytes each.
REMEMBERED_ROWS = 250_000


class Kind(NamedTuple):
    """What the rows of a metric say beside its values. `lasts` is seconds."""

    metric: UUID
    name: str
    type: str
    slope: str
    units: str
    lasts: int


class Page:
    """Values of one kind, of a metric of a device. So many as are `stored` lie in the row; those that came since do not
    yet. `since` counts all reports there ever were, up to the first of the metric; times are microseconds."""

    __slots__ = (
        *("began", "device", "first", "is_waiting", "kind", "last"),
        *("moments", "since", "stored", "upto", "values"),
    )

    def __init__(self, device: UUID, kind: Kind, since: int, first: int, began: int, stored: int = 0) -> None:
        self.device = device
        self.kind = kind
        self.since = since
        self.first = first
        self.began = began
        self.stored = stored
        self.last = 0
        self.upto = 0
        self.is_waiting = False
        self.moments: list[int] = []
        self.values: list[float | str] = []

    @property
    def is_empty(self) -> bool:
        return not self.stored and not self.moments

    def take_back(self) -> None:
        del self.moments[-1], self.values[-1]

    def add(self, position: int, time: int, value: float | str) -> bool:
        """False where it must begin another page."""
        if self.stored + len(self.moments) >= PAGE:
            return False
        moment = moment_of(position - self.first, time - self.began)
        if moment is None:
            return False
        self.last = position
        self.moments.append(moment)
        self.values.append(value)
        return True


class CurrentPages:
    """What came and is not written yet, and what is remembered of the rows: all of those of a device that is known."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[object, ...], Kind] = {}
        # By the name as it was reported, where the row has it so; else by the metric.
        self._rows: dict[UUID, dict[str | UUID, Page]] = {}
        self._remembered = 0
        self._closed: list[Page] = []
        self._open: list[Page] = []

    def forget(self) -> None:
        self._kinds, self._rows, self._remembered = {}, {}, 0
        self._closed, self._open = [], []

    async def know(self, devices: Collection[UUID], to: Target) -> None:
        """Before anything of them is added."""
        if self._remembered > REMEMBERED_ROWS or len(self._kinds) > REMEMBERED_ROWS:
            self.forget()
        unknown = devices - self._rows.keys()
        if not unknown:
            return
        query = f"""
            SELECT device_id, metric_id, name, type, slope, units, lasts, since, first, began, cardinality(moments)
            FROM {to.name(CURRENT_METRICS)} WHERE device_id = ANY(%b::uuid[])
        """
        cursor = to.connection.cursor(binary=True)
        await cursor.execute(query.encode(), (list(unknown),), prepare=True)
        self._rows |= {device: {} for device in unknown}
        for device, metric, name, type, slope, units, lasts, since, first, began, stored in await cursor.fetchall():
            kind = Kind(metric, name, type, slope, units, lasts)
            page = Page(device, kind, since, first, microseconds(began), stored)
            self._rows[device][name if metric_id(name) == metric else metric] = page
            self._remembered += 1

    def add(self, device: UUID, reports: Sequence[Report], position: int, at: datetime) -> None:
        """Of two reports of one metric in one event the later one stands."""
        kinds, rows, time = self._kinds, self._rows[device], microseconds(at)
        for since, one in enumerate(reports, position * VALUES_PER_EVENT):
            said = (one.name, one.type, one.slope, one.units, one.ttl)
            kind = kinds.get(said)
            if kind is None:
                kind = kinds[said] = _kind(*said)
            page = rows.get(one.name) or rows.pop(kind.metric, None)
            if page is None:
                self._remembered += 1
                page = rows[one.name] = Page(device, kind, since, position, time)
            else:
                rows[one.name] = page
                if page.last == position:
                    page.take_back()
                    if page.is_empty:
                        page.kind = kind
            if (page.kind is kind or page.kind == kind) and page.add(position, time, one.value):
                if not page.is_waiting:
                    page.is_waiting = True
                    self._open.append(page)
                continue
            if not page.is_empty:
                page.upto = position
                self._closed.append(page)
            page = rows[one.name] = Page(device, kind, page.since, position, time)
            page.add(position, time, one.value)
            page.is_waiting = True
            self._open.append(page)

    async def write(self, to: Target) -> None:
        closed, opened = self._closed, [page for page in self._open if not page.upto]
        self._closed, self._open = [], []
        for query, pages in (_CLOSE, closed), (_PUT, opened):
            numbers = [page for page in pages if page.kind.type != "string"]
            texts = [page for page in pages if page.kind.type == "string"]
            if numbers:
                told = [value for page in numbers for value in page.values if not isinstance(value, str)]
                values = {"values": Numbers(told)}
                await _execute(query[0], {**_told(numbers), **values}, to)
            if texts:
                arrays = {"values": [_array(page.values) for page in texts]}
                await _execute(query[1], {**_told(texts), **arrays}, to)
        for page in opened:
            page.stored += len(page.moments)
            page.moments, page.values, page.is_waiting = [], [], False

    async def remove(self, removed: Mapping[UUID, int], to: Target) -> None:
        """What there is of each device is gone with the event at the position, and kept in pages."""
        self._rows |= {device: {} for device in removed}
        await _execute(_REMOVE, {"devices": list(removed), "positions": list(removed.values())}, to)


def _kind(name: str, type: str, slope: str, units: str, ttl: int) -> Kind:
    return Kind(metric_id(name), storable(name), type, slope, storable(units), min(ttl, LONG))


def _told(pages: Sequence[Page]) -> dict[str, object]:
    """What differs from page to page are numbers only, since those are many: devices and kinds are told once."""
    devices: dict[UUID, int] = {}
    kinds: dict[int, tuple[int, Kind]] = {}
    of_device = [devices.setdefault(page.device, len(devices) + 1) for page in pages]
    of_kind = [kinds.setdefault(id(page.kind), (len(kinds) + 1, page.kind))[0] for page in pages]
    ends = list(accumulate(len(page.moments) for page in pages))
    metrics, names, types, slopes, units, lasts = zip(*(kind for _, kind in kinds.values()), strict=True)
    return {
        "devices": list(devices),
        "metrics": list(metrics),
        "names": list(names),
        "types": list(types),
        "slopes": list(slopes),
        "units": list(units),
        "lasts": list(lasts),
        "of_device": Integers(of_device),
        "of_kind": Integers(of_kind),
        "since": Integers([page.since for page in pages]),
        "first": Integers([page.first for page in pages]),
        "began": Times([page.began for page in pages]),
        "upto": Integers([page.upto for page in pages]),
        "starts": Integers([1, *(end + 1 for end in ends[:-1])]),
        "ends": Integers(ends),
        "moments": Integers(list(chain.from_iterable(page.moments for page in pages))),
    }


def _array(values: Iterable[object]) -> str:
    """As PostgreSQL reads it."""
    quoted = (storable(str(value)).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


async def _execute(query: str, values: Mapping[str, object], to: Target) -> None:
    cursor = to.connection.cursor()
    take_arrays(cursor)
    named = _named(query, to.name(CURRENT_METRICS), to.name(METRIC_PAGES))
    await cursor.execute(named, values, prepare=True)


@cache
def _named(query: str, rows: str, pages: str) -> bytes:
    return query.replace("ROWS", rows).replace("PAGES", pages).encode()


# Slices of one array, because there are no arrays of arrays. OFFSET, so that each is made once.
_TOLD = """
    (
        SELECT (%(devices)b::uuid[])[r.device] AS device, k.*, r.since, r.first, r.began, r.upto,
            r.ends - r.starts + 1 AS last, (%(moments)b::bigint[])[r.starts:r.ends] AS moments, {values}
        FROM unnest(
            %(of_device)b::bigint[], %(of_kind)b::bigint[], %(since)b::bigint[], %(first)b::bigint[],
            %(began)b::timestamptz[], %(upto)b::bigint[], %(starts)b::bigint[], %(ends)b::bigint[]{more}
        ) r(device, kind, since, first, began, upto, starts, ends{named})
        JOIN unnest(
            %(metrics)b::uuid[], %(names)b::text[], %(types)b::text[], %(slopes)b::text[], %(units)b::text[],
            %(lasts)b::bigint[]
        ) WITH ORDINALITY k(metric, name, type, slope, units, lasts, kind) USING (kind)
        OFFSET 0
    ) t
"""
_OF_NUMBERS = _TOLD.format(
    values="(%(values)b::float8[])[r.starts:r.ends] AS numbers, NULL::text[] AS texts", more="", named=""
)
_OF_TEXTS = _TOLD.format(
    values="NULL::float8[] AS numbers, r.texts::text[] AS texts", more=", %(values)b::text[]", named=", texts"
)

_TIME = time_sql("t", "t.last")
_PUT = tuple(
    f"""
    INSERT INTO ROWS AS c
    SELECT t.device, t.metric, t.since, t.name, t.type, t.slope, t.units, t.numbers[t.last], t.texts[t.last],
        {_TIME}, {expires_sql(_TIME, "t.lasts")}, t.lasts, t.first, t.began, t.moments, t.numbers, t.texts
    FROM {told}
    ON CONFLICT (device_id, metric_id) DO UPDATE SET
        type = excluded.type, slope = excluded.slope, units = excluded.units, lasts = excluded.lasts,
        number = excluded.number, words = excluded.words,
        reported_at = excluded.reported_at, expires_at = excluded.expires_at,
        first = excluded.first, began = excluded.began,
        moments = CASE WHEN c.first = excluded.first THEN c.moments || excluded.moments ELSE excluded.moments END,
        numbers = CASE WHEN c.first = excluded.first THEN c.numbers || excluded.numbers ELSE excluded.numbers END,
        texts = CASE WHEN c.first = excluded.first THEN c.texts || excluded.texts ELSE excluded.texts END
    """
    for told in (_OF_NUMBERS, _OF_TEXTS)
)
_CLOSE = tuple(
    f"""
    INSERT INTO PAGES
    SELECT t.metric, t.device, t.since, t.name, t.type, t.slope, t.units, t.lasts, t.first, t.began,
        c.moments || t.moments, c.numbers || t.numbers, c.texts || t.texts, t.upto, false
    FROM {told}
    LEFT JOIN ROWS c ON c.device_id = t.device AND c.metric_id = t.metric AND c.first = t.first
    """
    for told in (_OF_NUMBERS, _OF_TEXTS)
)
_REMOVE = """
    WITH removed AS (
        SELECT * FROM unnest(%(devices)b::uuid[], %(positions)b::bigint[]) r(device_id, position)
    ), moved AS (
        INSERT INTO PAGES
        SELECT c.metric_id, c.device_id, c.since, c.name, c.type, c.slope, c.units, c.lasts, c.first, c.began,
            c.moments, c.numbers, c.texts, r.position, true
        FROM removed r JOIN ROWS c USING (device_id) WHERE cardinality(c.moments) > 0
    )
    DELETE FROM ROWS c USING removed r WHERE c.device_id = r.device_id
"""
