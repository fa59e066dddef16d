"""What a read model that writes over its rows was at an earlier moment: keyframes, and the events behind them.

Every so often the state of one key (a thing, a group) is kept beside the position of the event that made it.
As of a later position the state is the last keyframe before it, with the events of the key since then folded in: fewer
than a keyframe is apart, and all of one stream, because an event of another stream than the last makes a keyframe too.
So it costs the same however old the moment is and however much there is of the key (docs/adr/0023).

When one is due follows from the log alone, so that a rebuild comes to the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import msgspec
import sqlalchemy as sa

from domain.catalogue import CATALOGUE
from domain.event import Event, Recorded
from domain.value import Value
from projections.as_of import moment, reading_as_of
from projections.database import METADATA, Database
from projections.readmodel import Target

S = TypeVar("S")

# Of so many keys it is remembered in which stream the last event was.
REMEMBERED_KEYS = 250_000
# Keys that are folded at a time, since the events of many are large together.
AT_ONCE = 100


def keyframe_table(name: str) -> sa.Table:
    """`stream` and `version` are of the event that made the state; NULL where the key is gone."""
    return sa.Table(
        name,
        METADATA,
        sa.Column("key", sa.Uuid, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True),
        sa.Column("stream", sa.Uuid),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
    )


class Happened(NamedTuple):
    """What a state is folded from."""

    position: int
    at: datetime
    event: Event


class Told(NamedTuple):
    """An event of a key. One that `ends` it leaves nothing; what comes later begins anew."""

    key: UUID
    recorded: Recorded
    ends: bool = False


class Folding(NamedTuple, Generic[S]):
    """How the states of a table of keyframes are made and kept. `every` is how many events lie between two at most."""

    table: sa.Table
    every: int
    begin: Callable[[], S]
    evolve: Callable[[S, Happened], S]
    encode: Callable[[S], bytes]
    decode: Callable[[bytes], S]


class Keyframes(Generic[S]):
    """Writes them. `load` tells the states of keys as the read model's own tables have them, before the batch."""

    def __init__(
        self, folding: Folding[S], load: Callable[[Collection[UUID], Target], Awaitable[Mapping[UUID, S]]]
    ) -> None:
        self._folding = folding
        self._load = load
        self._streams: dict[UUID, UUID | None] = {}
        self._next = 0

    async def take(self, batch: Sequence[Recorded], told: Sequence[Told], to: Target) -> None:
        """What the batch tells of keys; before the batch is applied, and of every batch."""
        if batch[0].position != self._next or len(self._streams) > REMEMBERED_KEYS:
            self._streams.clear()
        self._next = 0  # until all of it is done
        if told:
            if unknown := {one.key for one in told} - self._streams.keys():
                self._streams |= await self._last_streams(unknown, to)
            if due := self._due(told):
                await self._write(due, told, to)
        self._next = batch[-1].position + 1

    async def _last_streams(self, keys: Collection[UUID], to: Target) -> dict[UUID, UUID | None]:
        query = f"""
            SELECT k.key, f.stream FROM unnest(%b::uuid[]) k(key) LEFT JOIN LATERAL (
                SELECT stream FROM {to.name(self._folding.table)} f WHERE f.key = k.key ORDER BY position DESC LIMIT 1
            ) f ON true
        """
        cursor = to.connection.cursor(binary=True)
        await cursor.execute(query.encode(), (list(keys),), prepare=True)
        return dict(await cursor.fetchall())

    def _due(self, told: Iterable[Told]) -> set[tuple[UUID, int]]:
        streams, every = self._streams, self._folding.every
        due = set()
        for key, recorded, ends in told:
            last = streams[key]
            if ends:
                if last is not None:
                    streams[key] = None
                    due.add((key, recorded.position))
            elif last != recorded.aggregate_id or recorded.version % every == 0:
                streams[key] = recorded.aggregate_id
                due.add((key, recorded.position))
        return due

    async def _write(self, due: Collection[tuple[UUID, int]], told: Iterable[Told], to: Target) -> None:
        folding, keys = self._folding, {key for key, _ in due}
        states = dict(await self._load(keys, to))
        rows = []
        for key, recorded, ends in told:
            if key not in keys:
                continue
            position = recorded.position
            before = states[key] if key in states and not ends else folding.begin()
            happened = Happened(position, recorded.envelope.at, recorded.event)
            states[key] = before if ends else folding.evolve(before, happened)
            if (key, position) in due:
                stream = None if ends else recorded.aggregate_id
                rows.append((key, position, stream, recorded.version, folding.encode(states[key])))
        copying = f"COPY {to.name(folding.table)} FROM STDIN (FORMAT binary)"
        async with to.connection.cursor().copy(copying.encode()) as copy:
            copy.set_types(("uuid", "int8", "uuid", "int8", "bytea"))
            for row in rows:
                await copy.write_row(row)


class _Stored(Value):
    at: datetime
    data: msgspec.Raw


_stored = msgspec.json.Decoder(_Stored).decode

# LIMIT keeps the planner from reading a stream otherwise than by its versions.
_SINCE = """
    SELECT f.key, f.state, e.notification_id, e.topic, e.state FROM unnest(%(keys)b::uuid[]) k(key)
    CROSS JOIN LATERAL (
        SELECT * FROM {table} f WHERE f.key = k.key AND f.position <= %(position)b::bigint
        ORDER BY f.position DESC LIMIT 1
    ) f
    LEFT JOIN LATERAL (
        SELECT * FROM events e
        WHERE e.originator_id = f.stream AND e.originator_version > f.version
            AND e.originator_version < f.version + %(every)b::bigint
            AND e.notification_id <= %(position)b::bigint
        ORDER BY e.originator_version LIMIT %(every)b::bigint
    ) e ON true
    WHERE f.stream IS NOT NULL
    ORDER BY f.key, e.originator_version
"""


class PastStates(Generic[S]):
    """Tells them. May raise what a fetch raises."""

    def __init__(self, database: Database, folding: Folding[S]) -> None:
        self._database = database
        self._folding = folding
        self._since = _SINCE.format(table=folding.table.name).encode()

    async def at(self, position: int, keys: Collection[UUID]) -> dict[UUID, S]:
        """The states of these keys as of the position, without those that were not there."""
        chosen, states = list(keys), dict[UUID, S]()
        for first in range(0, len(chosen), AT_ONCE):
            with reading_as_of(None):  # the keyframes are all moments already
                rows = await self._database.fetch(
                    self._since,
                    {
                        "keys": chosen[first : first + AT_ONCE],
                        "position": position,
                        "every": self._folding.every,
                    },
                )
            # In a thread, because who waits for a command must not wait for this.
            states |= await asyncio.to_thread(self._folded, rows)
        return states

    async def then(self, keys: Collection[UUID]) -> dict[UUID, S] | None:
        """The same as of the moment that is asked for; None when that is now."""
        asked = moment()
        return None if asked is None else await self.at(await asked.resolve(), keys)

    def _folded(self, rows: Iterable[Sequence[Any]]) -> dict[UUID, S]:
        folding, states = self._folding, dict[UUID, S]()
        for key, frame, position, topic, state in rows:
            if key not in states:
                states[key] = folding.decode(frame)
            if state is not None:
                stored = _stored(state)
                event = CATALOGUE.decode(topic, stored.data)
                states[key] = folding.evolve(states[key], Happened(position, stored.at, event))
        return states
