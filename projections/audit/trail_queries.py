"""Searching the log: the index says where, and what stands there is looked at again (docs/adr/0020)."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from time import monotonic
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import TupleRow

from domain.value import Value
from projections.audit.trail import AT, BLOCK, NAMING, STORED, Kind, head_of, ids_named_in, key_of, names_of, unpacked
from projections.database import Database
from projections.positions import log_head

# Blocks that are looked at together: at first few, because most pages are full soon.
FEWEST, MOST = 8, 512
# After so long an answer is given with what was found, and where to go on.
BUDGET_SECONDS = 1.0
LARGEST = 16 * 1024 * 1024


class Sought(Value):
    """What an event has to be like. It is about its aggregate, and about what it names by id in a field of its own.
    From `since` and behind `after`, up to `until` and `before`, both excluded."""

    context: str | None = None
    aggregate: str | None = None
    id: UUID | None = None
    about: UUID | None = None
    event: str | None = None
    actor: str | None = None
    source: str | None = None
    correlation: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int | None = None
    before: int | None = None

    @property
    def keys(self) -> Sequence[int]:
        """What the index has of it. The narrowest of context, aggregate and event is enough."""
        kinds: Sequence[tuple[Kind, str | UUID | None]] = (
            ("event", self.event),
            ("aggregate", None if self.event else self.aggregate),
            ("context", None if self.event or self.aggregate else self.context),
            ("actor", self.actor),
            ("source", self.source),
            ("correlation", self.correlation),
            ("about", self.about),
        )
        return [key_of(kind, value) for kind, value in kinds if value is not None]

    @property
    def whole(self) -> Sequence[str]:
        """The topics of events of which more than the beginning has to be looked at."""
        return list(NAMING) if self.about is not None else []

    def matches(self, stream: UUID, topic: str, stored: bytes) -> bool:
        head = head_of(stored)
        context, aggregate, event = names_of(topic)
        return (
            self.context in (None, context)
            and self.aggregate in (None, aggregate)
            and self.event in (None, event)
            and self.id in (None, stream)
            and (self.about in (None, stream) or self._is_named(topic, stored))
            and self.actor in (None, head.actor)
            and self.source in (None, head.source)
            and self.correlation in (None, head.correlation_id)
            and (self.since is None or head.at >= self.since)
            and (self.until is None or head.at < self.until)
        )

    def _is_named(self, topic: str, stored: bytes) -> bool:
        """Few have the id anywhere, and those are decoded."""
        return str(self.about).encode() in stored and self.about in ids_named_in(topic, stored)


class Row(NamedTuple):
    """An event as it is stored."""

    position: int
    stream: UUID
    version: int
    topic: str
    state: bytes


class Page(NamedTuple):
    """`next` is behind which position (before which, where the newest come first) to go on, None at the end."""

    rows: Sequence[Row]
    next: int | None


_KEYS = """
    SELECT k0.block, {offsets} FROM audit_keys k0 {joined}
    WHERE k0.key = %s AND k0.block BETWEEN %s AND %s ORDER BY k0.block {order} LIMIT %s
"""
_CLOSED = b"SELECT coalesce(max(block) + 1, 0) FROM audit_blocks"
_FIRST_SINCE = b"SELECT min(block) FROM audit_blocks WHERE latest >= %s"
_LAST_BEFORE = b"SELECT max(block) FROM audit_blocks WHERE earliest < %s"
_IN = f"(notification_id) FROM events WHERE notification_id BETWEEN %s AND %s AND {AT}"
_FIRST_IN = f"SELECT min{_IN} >= %s".encode()
_LAST_IN = f"SELECT max{_IN} < %s".encode()
_LOOKED_AT = f"SELECT notification_id, originator_id, topic, {STORED} FROM events"
_BETWEEN = f"{_LOOKED_AT} WHERE notification_id BETWEEN %s AND %s ORDER BY notification_id".encode()
_HEADS_AT = f"{_LOOKED_AT} WHERE notification_id = ANY(%s) ORDER BY notification_id".encode()
_OF_STREAM = (
    f"{_LOOKED_AT} WHERE originator_id = %s AND notification_id BETWEEN %s AND %s"
    " ORDER BY originator_version {order} LIMIT %s"
)
# Whole events, as many as are not too large together; the first in any case.
_AT = """
    SELECT notification_id, originator_id, originator_version, topic, state FROM (
        SELECT *, sum(octet_length(state)) OVER (ORDER BY notification_id {order}) - octet_length(state) AS before
        FROM events WHERE notification_id = ANY(%s)
    ) measured WHERE before < %s ORDER BY notification_id {order}
"""


class _Look(NamedTuple):
    """Events that may be meant, in the order of the search, and the last position that was looked at."""

    rows: Sequence[TupleRow]
    reached: int


class TrailQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def search(self, sought: Sought, limit: int, *, newest: bool) -> Page:
        """At most `limit` events in the order of the log, or the newest first."""
        found: list[int] = []
        stop = monotonic() + BUDGET_SECONDS
        async for look in self._look(sought, limit, newest=newest):
            found += [
                position for position, stream, topic, beginning in look.rows if sought.matches(stream, topic, beginning)
            ]
            if len(found) > limit:
                return await self._page(found[:limit], found[limit - 1], newest=newest)
            if monotonic() > stop:
                return await self._page(found, look.reached, newest=newest)
        return await self._page(found, None, newest=newest)

    async def at(self, position: int) -> Row | None:
        page = await self._page([position], None, newest=False)
        return page.rows[0] if page.rows else None

    async def _page(self, found: Sequence[int], next: int | None, *, newest: bool) -> Page:
        """Fewer of them when they are large."""
        query = _AT.format(order="DESC" if newest else "ASC").encode()
        rows = [Row._make(row) for row in await self._database.fetch(query, (list(found), LARGEST))] if found else []
        return Page(rows, rows[-1].position if 0 < len(rows) < len(found) else next)

    async def _look(self, sought: Sought, limit: int, *, newest: bool) -> AsyncIterator[_Look]:
        low = (sought.after or 0) + 1
        high = await log_head(self._database)
        if sought.before is not None:
            high = min(high, sought.before - 1)
        if sought.id is not None:
            async for look in self._of_stream(sought.id, sought.whole, low, high, limit + 1, newest=newest):
                yield look
            return
        closed = int((await self._database.fetch(_CLOSED))[0][0])
        low, high = await self._at_times(sought, low, high, closed)
        edge = closed * BLOCK
        indexed = self._indexed(sought, low, min(high, edge - 1), limit + 1, newest=newest)
        # Nearly everything matches where nothing is asked that the index has.
        size = BLOCK if sought.keys else limit + 1
        tail = self._between(sought.whole, max(low, edge), high, size, newest=newest)
        for part in (tail, indexed) if newest else (indexed, tail):
            async for look in part:
                yield look

    async def _at_times(self, sought: Sought, low: int, high: int, closed: int) -> tuple[int, int]:
        """Clocks of several processes differ a little; so the times of a block overlap with those of the next."""
        if sought.since is not None:
            block = (await self._database.fetch(_FIRST_SINCE, (sought.since,)))[0][0]
            at = (closed if block is None else block) * BLOCK
            found = (await self._database.fetch(_FIRST_IN, (at, at + BLOCK - 1, sought.since)))[0][0]
            low = max(low, at if found is None else found)
        if sought.until is not None and closed:
            block = (await self._database.fetch(_LAST_BEFORE, (sought.until,)))[0][0]
            if block is None:
                high = min(high, 0)
            elif block < closed - 1:  # else what is not closed yet may be meant too
                at = block * BLOCK
                high = min(high, (await self._database.fetch(_LAST_IN, (at, at + BLOCK - 1, sought.until)))[0][0])
        return low, high

    async def _between(
        self, whole: Sequence[str], low: int, high: int, size: int, *, newest: bool
    ) -> AsyncIterator[_Look]:
        while low <= high:
            first, last = (max(low, high - size + 1), high) if newest else (low, min(high, low + size - 1))
            rows = await self._database.fetch(_BETWEEN, (whole, first, last))
            yield _Look(rows[::-1] if newest else rows, first if newest else last)
            low, high = (low, first - 1) if newest else (last + 1, high)
            size = min(size * 2, BLOCK)

    async def _of_stream(
        self, stream: UUID, whole: Sequence[str], low: int, high: int, size: int, *, newest: bool
    ) -> AsyncIterator[_Look]:
        query = _OF_STREAM.format(order="DESC" if newest else "ASC").encode()
        while low <= high:
            rows = await self._database.fetch(query, (whole, stream, low, high, size))
            if not rows:
                return
            reached = int(rows[-1][0])
            yield _Look(rows, reached)
            low, high = (low, reached - 1) if newest else (reached + 1, high)

    async def _indexed(self, sought: Sought, low: int, high: int, size: int, *, newest: bool) -> AsyncIterator[_Look]:
        keys, whole = sought.keys, sought.whole
        if not keys:
            async for look in self._between(whole, low, high, size, newest=newest):
                yield look
            return
        others = range(1, len(keys))
        query = _KEYS.format(
            offsets=", ".join(f"k{n}.offsets" for n in (0, *others)),
            joined=" ".join(f"JOIN audit_keys k{n} ON k{n}.block = k0.block AND k{n}.key = %s" for n in others),
            order="DESC" if newest else "ASC",
        ).encode()
        first, last, blocks = low // BLOCK, high // BLOCK, FEWEST
        while first <= last and low <= high:
            found = await self._database.fetch(query, (*keys[1:], keys[0], first, last, blocks))
            places = [
                at for block, *offsets in found for at in _met(block, offsets, newest=newest) if low <= at <= high
            ]
            for start in range(0, len(places), size):
                some = places[start : start + size]
                rows = await self._database.fetch(_HEADS_AT, (whole, some))
                yield _Look(rows[::-1] if newest else rows, some[-1])
            if len(found) < blocks:
                return
            reached = int(found[-1][0])
            yield _Look((), reached * BLOCK if newest else reached * BLOCK + BLOCK - 1)
            first, last = (first, reached - 1) if newest else (reached + 1, last)
            blocks = min(blocks * 2, MOST)


def _met(block: int, offsets: Sequence[bytes], *, newest: bool) -> Sequence[int]:
    """The positions in the block that are in all of these."""
    common = set(unpacked(offsets[0]))
    for stored in offsets[1:]:
        common.intersection_update(unpacked(stored))
    return sorted((block * BLOCK + offset for offset in common), reverse=newest)
