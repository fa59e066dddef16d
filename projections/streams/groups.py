"""Groups as they are now: the state that the domain makes of their events, one row each."""

from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

import msgspec
import sqlalchemy as sa

from domain.event import Event, Recorded
from domain.identifiers import group_id
from domain.streams.group import GROUP, Group
from projections.database import METADATA, Database, storable
from projections.readmodel import Target

STREAM_GROUPS = sa.Table(
    "stream_groups",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("state", sa.LargeBinary, nullable=False),
)

_OURS = f"{GROUP.name}."
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Group).decode


class Groups:
    """The read model `groups`."""

    name: ClassVar[str] = "groups"
    version: ClassVar[int] = 1
    tables: ClassVar[Sequence[sa.Table]] = (STREAM_GROUPS,)

    async def apply(self, batch: Sequence[Recorded], to: Target) -> None:
        events: defaultdict[UUID, list[Event]] = defaultdict(list)
        for one in batch:
            if one.event.topic.startswith(_OURS):
                events[one.aggregate_id].append(one.event)
        if not events:
            return
        known = await self._known(list(events), to)
        folded = {id: GROUP.fold(of_group, known.get(id)) for id, of_group in events.items()}
        rows = [(id, storable(group.name), _encode(group)) for id, group in folded.items() if group is not None]
        query = f"""
            INSERT INTO {to.name(STREAM_GROUPS)} SELECT * FROM unnest(%b::uuid[], %b::text[], %b::bytea[])
            ON CONFLICT (id) DO UPDATE SET state = excluded.state
        """
        await to.connection.execute(query.encode(), [list(column) for column in zip(*rows, strict=True)], prepare=True)

    async def _known(self, ids: Sequence[UUID], to: Target) -> dict[UUID, Group]:
        query = f"SELECT id, state FROM {to.name(STREAM_GROUPS)} WHERE id = ANY(%b)"
        cursor = to.connection.cursor(binary=True)
        await cursor.execute(query.encode(), (list(ids),), prepare=True)
        return {id: _decode(state) for id, state in await cursor.fetchall()}


_FIND = b"SELECT state FROM stream_groups WHERE id = %s"
_LIST = b"SELECT state FROM stream_groups WHERE name > %(after)b ORDER BY name LIMIT %(limit)b"


class GroupQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, name: str) -> Group | None:
        rows = await self._database.fetch(_FIND, (group_id(name),))
        return _decode(rows[0][0]) if rows else None

    async def list(self, after: str, limit: int) -> Sequence[Group]:
        """In the order of their names, from behind `after`."""
        return [_decode(state) for (state,) in await self._database.fetch(_LIST, {"after": after, "limit": limit})]
