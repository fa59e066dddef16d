"""Groups: the state that the domain makes of their events, one row each, and what it was as keyframes.

Who is in a group changes seldom and is what is listed: of that every version has a row.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar
from uuid import UUID

import msgspec
import sqlalchemy as sa

from domain.catalogue import CATALOGUE
from domain.event import Event, Recorded
from domain.identifiers import group_id
from domain.streams.group import GROUP, Group, MemberJoined, MemberLeft
from domain.value import Value
from projections.batch import Batch
from projections.database import METADATA, Database, storable
from projections.keyframes import Folding, Happened, Keyframes, PastStates, Told, keyframe_table
from projections.readmodel import Target
from projections.versioned import Row, VersionedRows, versioned_table

STREAM_GROUPS = sa.Table(
    "stream_groups",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("state", sa.LargeBinary, nullable=False),
)

GROUP_KEYFRAMES = keyframe_table("stream_group_keyframes")

# `membership` is JSON.
GROUP_MEMBERS = versioned_table(
    "stream_group_members",
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("membership", sa.Text, nullable=False),
)

_OURS = tuple(topic for topic in CATALOGUE.by_topic if topic.startswith(f"{GROUP.name}."))
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Group).decode


class Membership(Value):
    """Who is in a group, and which topics each asked for."""

    name: str
    members: dict[str, tuple[str, ...]]

    @property
    def topics(self) -> Sequence[str]:
        return sorted({topic for topics in self.members.values() for topic in topics})


_membership = msgspec.json.Decoder(Membership).decode


def _evolve(group: Group | None, happened: Happened) -> Group | None:
    return GROUP.evolve(group, happened.event)


_FOLDING: Folding[Group | None] = Folding(GROUP_KEYFRAMES, 64, lambda: None, _evolve, _encode, _decode)


class Groups:
    """The read model `groups`."""

    name: ClassVar[str] = "groups"
    version: ClassVar[int] = 2
    tables: ClassVar[Sequence[sa.Table]] = (STREAM_GROUPS, GROUP_MEMBERS, GROUP_KEYFRAMES)

    def __init__(self) -> None:
        self._members = VersionedRows(GROUP_MEMBERS, _joined_or_left)
        self._keyframes = Keyframes(_FOLDING, _known)

    async def apply(self, batch: Batch, to: Target) -> None:
        told = [Told(one.aggregate_id, one) for one in batch.of(*_OURS)]
        await self._keyframes.take(batch, told, to)
        if not told:
            return
        await self._members.apply(
            [one.recorded for one in told if isinstance(one.recorded.event, MemberJoined | MemberLeft)], to
        )
        events: defaultdict[UUID, list[Event]] = defaultdict(list)
        for id, one, *_ in told:
            events[id].append(one.event)
        known = await _known(list(events), to)
        folded = {id: GROUP.fold(of_group, known.get(id)) for id, of_group in events.items()}
        rows = [(id, storable(group.name), _encode(group)) for id, group in folded.items() if group is not None]
        query = f"""
            INSERT INTO {to.name(STREAM_GROUPS)} SELECT * FROM unnest(%b::uuid[], %b::text[], %b::bytea[])
            ON CONFLICT (id) DO UPDATE SET state = excluded.state
        """
        await to.connection.execute(query.encode(), [list(column) for column in zip(*rows, strict=True)], prepare=True)


async def _known(ids: Collection[UUID], to: Target) -> Mapping[UUID, Group]:
    query = f"SELECT id, state FROM {to.name(STREAM_GROUPS)} WHERE id = ANY(%b)"
    cursor = to.connection.cursor(binary=True)
    await cursor.execute(query.encode(), (list(ids),), prepare=True)
    return {id: _decode(state) for id, state in await cursor.fetchall()}


def _joined_or_left(row: Row | None, recorded: Recorded) -> Row | None:
    event, at = recorded.event, recorded.envelope.at
    match event:
        case MemberJoined():
            members = _membership(row["membership"]).members if row else {}
            members = {**members, event.consumer_id: event.topics}
        case MemberLeft() if row:
            members = dict(_membership(row["membership"]).members)
            members.pop(event.consumer_id, None)
        case _:
            return row
    return {
        "id": recorded.aggregate_id,
        "name": storable(event.group),
        "membership": _encode(Membership(name=event.group, members=members)).decode(),
        "created_at": row["created_at"] if row else at,
        "updated_at": at,
    }


_FIND = b"SELECT state FROM stream_groups WHERE id = %s"
_LIST = b"""
    SELECT membership FROM stream_group_members WHERE name > %(after)b AND valid_to IS NULL
    ORDER BY name LIMIT %(limit)b
"""


class GroupQueries:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._past = PastStates(database, _FOLDING)

    async def find(self, name: str) -> Group | None:
        id = group_id(name)
        if (then := await self._past.then([id])) is not None:
            return then.get(id)
        rows = await self._database.fetch(_FIND, (id,))
        return _decode(rows[0][0]) if rows else None

    async def list(self, after: str, limit: int) -> Sequence[Membership]:
        """In the order of their names, from behind `after`."""
        rows = await self._database.fetch(_LIST, {"after": after, "limit": limit})
        return [_membership(membership) for (membership,) in rows]
