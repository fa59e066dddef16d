"""Everything that came of one request or message, as a tree."""

from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from domain.value import Value
from projections.audit.trail_queries import Row, Sought, TrailQueries
from projections.database import Database

MOST = 2_000
# An answer is looked for among so many events behind its command.
AHEAD = 500
DEPTH = 4

_COMMAND_ISSUED = "devices.command.issued."
_ACTION_ASKED = "connectors.action.asked."
_FOLLOWING = b"""
    SELECT notification_id, originator_id, originator_version, topic, state FROM events
    WHERE originator_id = %s AND originator_version > %s ORDER BY originator_version LIMIT %s
"""


class _Named(msgspec.Struct):
    command_id: UUID | None = None


class Envelope(Value):
    """What is stored around an event."""

    id: UUID
    actor: str
    source: str
    correlation_id: str
    data: msgspec.Raw
    causation_id: str | None = None


class Node(NamedTuple):
    """An event with what it caused; or, without one, another conversation that answered (`correlation`), or a cause
    that is no event (`cause`: a message or a request)."""

    caused: "list[Node]"
    row: Row | None = None
    cause: str | None = None
    correlation: str | None = None


class Trace(NamedTuple):
    """`first` is the event that it began with; `cut` says that there is more than is shown."""

    first: Row
    tree: Sequence[Node]
    events: int
    cut: bool


_decode = msgspec.json.Decoder(Envelope).decode
_decode_named = msgspec.json.Decoder(_Named).decode


class TraceQueries:
    def __init__(self, database: Database, trail: TrailQueries) -> None:
        self._database = database
        self._trail = trail

    async def find(self, correlation: str) -> Trace | None:
        """None when the log has nothing of it."""
        seen: dict[int, Row] = {}
        page = await self._trail.search(Sought(correlation=correlation), MOST, newest=False)
        if not page.rows:
            return None
        tree = await self._tree(page.rows, seen, {correlation}, DEPTH)
        return Trace(page.rows[0], tree, len(seen), page.next is not None)

    async def _tree(self, rows: Sequence[Row], seen: dict[int, Row], conversations: set[str], depth: int) -> list[Node]:
        """What hangs together by causes, and below what was asked of a device what it answered."""
        seen.update((row.position, row) for row in rows)
        envelopes = {row.position: _decode(row.state) for row in rows}
        nodes = {str(envelopes[row.position].id): Node([], row) for row in rows}
        top: list[Node] = []
        causes: dict[str, Node] = {}
        for row in rows:
            envelope = envelopes[row.position]
            node = nodes[str(envelope.id)]
            cause = envelope.causation_id
            if cause is None or cause == envelope.correlation_id:
                top.append(node)
            elif cause in nodes:
                nodes[cause].caused.append(node)
            else:
                if cause not in causes:
                    causes[cause] = Node([], cause=cause)
                    top.append(causes[cause])
                causes[cause].caused.append(node)
        if depth:
            for row in rows:
                below = nodes[str(envelopes[row.position].id)].caused
                below += await self._answers(row, envelopes[row.position], seen, conversations, depth)
        return top

    async def _answers(
        self, row: Row, envelope: Envelope, seen: dict[int, Row], conversations: set[str], depth: int
    ) -> list[Node]:
        nodes = []
        for correlation in await self._conversations_about(row, envelope):
            if correlation in conversations or len(seen) >= MOST:
                continue
            conversations.add(correlation)
            page = await self._trail.search(Sought(correlation=correlation), MOST - len(seen), newest=False)
            nodes.append(Node(await self._tree(page.rows, seen, conversations, depth - 1), correlation=correlation))
        return nodes

    async def _conversations_about(self, row: Row, envelope: Envelope) -> Collection[str]:
        """Those in which what the event asks for was answered."""
        is_command = row.topic.startswith(_COMMAND_ISSUED)
        if not is_command and not row.topic.startswith(_ACTION_ASKED):
            return ()
        asked = _decode_named(envelope.data).command_id if is_command else None
        found: dict[str, None] = {}
        for values in await self._database.fetch(_FOLLOWING, (row.stream, row.version, AHEAD)):
            following = _decode(values[-1])
            if asked is None or _decode_named(following.data).command_id == asked:
                found[following.correlation_id] = None
        return found
