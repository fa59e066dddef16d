"""The history of an aggregate: each of its events, and what the event made different."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from domain.aggregates import DECIDERS, withheld_fields
from domain.decider import Decider
from domain.event import Event
from domain.value import State
from projections.audit.differences import Change, differences
from projections.audit.trail import names_of
from projections.audit.trail_queries import Row
from projections.database import Database

# Beyond so many events of one aggregate no differences are told: all events before would have to be read.
FOLDED = 10_000
CHUNK = 500
LARGEST = 16 * 1024 * 1024

Decode = Callable[[str, bytes], Event]
"""The event of a stored topic and state. Raises LookupError for one of a newer program."""

_FIRST = b"SELECT topic FROM events WHERE originator_id = %s ORDER BY originator_version LIMIT 1"
# Whole events, as many as are not too large together; the first in any case.
_PAGE = """
    SELECT notification_id, originator_id, originator_version, topic, state FROM (
        SELECT *, sum(octet_length(state)) OVER (ORDER BY originator_version {order}) - octet_length(state) AS before
        FROM (
            SELECT * FROM events
            WHERE originator_id = %s AND originator_version > %s AND originator_version < %s
            ORDER BY originator_version {order} LIMIT %s
        ) page
    ) measured WHERE before < %s ORDER BY originator_version {order}
"""
_LATEST = 2**62


class Step(NamedTuple):
    """`changes` are None where nobody knows the state."""

    row: Row
    changes: Sequence[Change] | None


class History(NamedTuple):
    """`next` is the version behind which to go on (before which, where the newest come first), None at the end."""

    aggregate: str
    steps: Sequence[Step]
    next: int | None


class HistoryQueries:
    def __init__(self, database: Database, decode: Decode) -> None:
        self._database = database
        self._decode = decode

    async def find(
        self, context: str, id: UUID, from_version: int | None, limit: int, *, newest: bool
    ) -> History | None:
        """A page of it, None when the context has no such aggregate."""
        first = await self._database.fetch(_FIRST, (id,))
        if not first or names_of(first[0][0])[0] != context:
            return None
        aggregate = names_of(first[0][0])[1]
        after, before = (0, from_version or _LATEST) if newest else (from_version or 0, _LATEST)
        rows = await self._page(id, after, before, limit + 1, newest=newest)
        page = rows[:limit]
        steps = await self._steps(aggregate, sorted(page, key=lambda row: row.version))
        shown = steps[::-1] if newest else steps
        more = len(rows) > limit or (page and await self._goes_on(id, page[-1].version, newest=newest))
        return History(aggregate, shown, page[-1].version if more else None)

    async def _goes_on(self, id: UUID, version: int, *, newest: bool) -> bool:
        after, before = (0, version) if newest else (version, _LATEST)
        return bool(await self._page(id, after, before, 1, newest=newest))

    async def _page(self, id: UUID, after: int, before: int, limit: int, *, newest: bool = False) -> list[Row]:
        query = _PAGE.format(order="DESC" if newest else "ASC").encode()
        return [Row._make(row) for row in await self._database.fetch(query, (id, after, before, limit, LARGEST))]

    async def _steps(self, aggregate: str, rows: Sequence[Row]) -> list[Step]:
        decider = DECIDERS.get(aggregate)
        if not rows or decider is None or decider.tail == 0 or (rows[-1].version > FOLDED and decider.tail is None):
            return [Step(row, None) for row in rows]
        try:
            return await self._told(decider, rows)
        except LookupError:
            return [Step(row, None) for row in rows]  # an event of a newer program is among them

    async def _told(self, decider: Decider[Any], rows: Sequence[Row]) -> list[Step]:
        private = withheld_fields(decider.name)
        state = await self._state_before(decider, rows[0])
        steps = []
        for row in rows:
            after = decider.evolve(state, self._decode(row.topic, row.state))
            steps.append(Step(row, differences(state, after, private)))
            state = after
        return steps

    async def _state_before(self, decider: Decider[Any], row: Row) -> State | None:
        state: State | None = None
        version = 0 if decider.tail is None else max(0, row.version - 1 - decider.tail)
        while version < row.version - 1:
            some = await self._page(row.stream, version, row.version, CHUNK)
            for one in some:
                state = decider.evolve(state, self._decode(one.topic, one.state))
            version = some[-1].version
        return state
