"""The events of one aggregate: read from the log by version, and folded."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from domain.decider import Decider
from domain.event import Event
from domain.value import State
from projections.audit.trail import names_of
from projections.audit.trail_queries import Row
from projections.database import Database

# Of one aggregate no more is folded, and no state told beyond: all events before would have to be read.
FOLDED = 10_000
CHUNK = 500
LARGEST = 16 * 1024 * 1024
LATEST = 2**62

Decode = Callable[[str, bytes], Event]
"""The event of a stored topic and state. Raises LookupError for one of a newer program."""

_FIRST = b"SELECT topic FROM events WHERE originator_id = %s ORDER BY originator_version LIMIT 1"
_LAST = b"""
    SELECT originator_version, notification_id FROM events WHERE originator_id = %s
    ORDER BY originator_version DESC LIMIT 1
"""
_POSITION = b"SELECT notification_id FROM events WHERE originator_id = %s AND originator_version = %s"
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


class AggregateEvents:
    def __init__(self, database: Database, decode: Decode) -> None:
        self._database = database
        self.decode = decode

    async def kind(self, context: str, id: UUID) -> str | None:
        """`<context>.<aggregate>`, None when the context has no such aggregate."""
        first = await self._database.fetch(_FIRST, (id,))
        if not first or names_of(first[0][0])[0] != context:
            return None
        return names_of(first[0][0])[1]

    async def page(self, id: UUID, after: int, before: int, limit: int, *, newest: bool = False) -> list[Row]:
        """Between the two versions, the oldest first; fewer of them when they are large."""
        query = _PAGE.format(order="DESC" if newest else "ASC").encode()
        return [Row._make(row) for row in await self._database.fetch(query, (id, after, before, limit, LARGEST))]

    async def last_by(self, id: UUID, position: int) -> tuple[int, int]:
        """Version and position of its last event up to there, which has to have been some; 0 and that of its first
        event where it began later."""
        high, at = (await self._database.fetch(_LAST, (id,)))[0]
        if at <= position:
            return high, at
        # Later versions stand at later positions; a stream may have millions.
        low, found = 0, 0
        while high - low > 1:
            middle = (low + high) // 2
            stands = await self.position_of(id, middle)
            low, high, found = (middle, high, stands) if stands <= position else (low, middle, found)
        return low, found or await self.position_of(id, 1)

    async def position_of(self, id: UUID, version: int) -> int:
        """Of an event that there is."""
        return int((await self._database.fetch(_POSITION, (id, version)))[0][0])

    async def folded(self, decider: Decider[Any], id: UUID, version: int) -> State | None:
        """The state after the event of that version, None before the first. Raises LookupError when an event of a newer
        program is among them."""
        state: State | None = None
        at = 0 if decider.tail is None else max(0, version - decider.tail)
        while at < version:
            some = await self.page(id, at, version + 1, CHUNK)
            for one in some:
                state = decider.evolve(state, self.decode(one.topic, one.state))
            at = some[-1].version
        return state
