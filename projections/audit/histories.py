"""The history of an aggregate: each of its events, and what the event made different."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from domain.aggregates import DECIDERS, withheld_fields
from domain.decider import Decider
from projections.audit.aggregate_events import FOLDED, LATEST, AggregateEvents, Decode
from projections.audit.differences import Change, differences
from projections.audit.trail_queries import Row
from projections.database import Database


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
        self._events = AggregateEvents(database, decode)

    async def find(
        self, context: str, id: UUID, from_version: int | None, limit: int, *, newest: bool
    ) -> History | None:
        """A page of it, None when the context has no such aggregate."""
        aggregate = await self._events.kind(context, id)
        if aggregate is None:
            return None
        after, before = (0, from_version or LATEST) if newest else (from_version or 0, LATEST)
        rows = await self._events.page(id, after, before, limit + 1, newest=newest)
        page = rows[:limit]
        steps = await self._steps(aggregate, sorted(page, key=lambda row: row.version))
        shown = steps[::-1] if newest else steps
        more = len(rows) > limit or (page and await self._goes_on(id, page[-1].version, newest=newest))
        return History(aggregate, shown, page[-1].version if more else None)

    async def _goes_on(self, id: UUID, version: int, *, newest: bool) -> bool:
        after, before = (0, version) if newest else (version, LATEST)
        return bool(await self._events.page(id, after, before, 1, newest=newest))

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
        state = await self._events.folded(decider, rows[0].stream, rows[0].version - 1)
        steps = []
        for row in rows:
            after = decider.evolve(state, self._events.decode(row.topic, row.state))
            steps.append(Step(row, differences(state, after, private)))
            state = after
        return steps
