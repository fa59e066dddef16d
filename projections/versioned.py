"""Registry tables that keep every version of a row, so that any list can be asked as of any moment.

A version is valid from the position of the event that made it up to the position of the one that replaced it.
The present version has no end.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from domain.event import Recorded
from projections.database import METADATA
from projections.readmodel import Target

Row = Mapping[str, Any]


def versioned_table(name: str, *columns: sa.Column[Any]) -> sa.Table:
    """A table with `id`, the given columns, both times and the validity of each version."""
    return sa.Table(
        name,
        METADATA,
        sa.Column("id", sa.Uuid, primary_key=True),
        *columns,
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_from", sa.BigInteger, primary_key=True),
        sa.Column("valid_to", sa.BigInteger),
    )


class VersionedRows:
    """Folds events into versions of rows. `evolve(row, recorded)` gives the row's next version: the same object
    for no change, None when it is gone."""

    def __init__(
        self,
        table: sa.Table,
        evolve: Callable[[Row | None, Recorded], Row | None],
        key: Callable[[Recorded], UUID] = attrgetter("aggregate_id"),
    ) -> None:
        self._table = table
        self._evolve = evolve
        self._key = key
        self._columns = [column.name for column in table.columns if column.name not in ("valid_from", "valid_to")]

    async def apply(self, events: Iterable[Recorded], to: Target) -> None:
        """Applies events, each to the row of its aggregate, or to the one that `key` names."""
        events = list(events)
        if not events:
            return
        present = await self._present({self._key(recorded) for recorded in events}, to)
        ends: dict[UUID, int] = {}
        open_since: dict[UUID, int] = {}
        versions: list[tuple[Row, int, int | None]] = []
        for recorded in events:
            id, position = self._key(recorded), recorded.position
            before = present.get(id)
            after = self._evolve(before, recorded)
            if after is before:
                continue
            if id in open_since and before is not None:
                versions.append((before, open_since.pop(id), position))
            elif before is not None:
                ends[id] = position
            if after is None:
                present.pop(id, None)
            else:
                present[id] = after
                open_since[id] = position
        versions.extend((present[id], since, None) for id, since in open_since.items())
        await self._write(ends, versions, to)

    async def _present(self, ids: Iterable[UUID], to: Target) -> dict[UUID, Row]:
        columns = ", ".join(self._columns)
        query = f"SELECT {columns} FROM {to.name(self._table)} WHERE id = ANY(%s) AND valid_to IS NULL"
        cursor = to.connection.cursor(binary=True)
        await cursor.execute(query.encode(), (list(ids),), prepare=True)
        return {row[0]: dict(zip(self._columns, row, strict=True)) for row in await cursor.fetchall()}

    async def _write(
        self, ends: Mapping[UUID, int], versions: Iterable[tuple[Row, int, int | None]], to: Target
    ) -> None:
        name = to.name(self._table)
        if ends:
            query = (
                f"UPDATE {name} t SET valid_to = u.position FROM unnest(%s::uuid[], %s::bigint[]) AS u(id, position)"
                " WHERE t.id = u.id AND t.valid_to IS NULL"
            )
            await to.connection.execute(query.encode(), (list(ends), list(ends.values())), prepare=True)
        columns = ", ".join((*self._columns, "valid_from", "valid_to"))
        async with to.connection.cursor().copy(f"COPY {name} ({columns}) FROM STDIN".encode()) as copy:
            for row, since, until in versions:
                await copy.write_row((*(_storable(row[column]) for column in self._columns), since, until))


async def rewrite(to: Target, table: sa.Table, key: str, id: UUID, **columns: str) -> None:
    """Writes over what all versions of the rows say whose column `key` is the id. Nothing else may change the past: it
    is for what nobody may know any more."""
    assignments = ", ".join(f"{name} = %s" for name in columns)
    query = f"UPDATE {to.name(table)} SET {assignments} WHERE {key} = %s"
    await to.connection.execute(query.encode(), (*columns.values(), id))


def _storable(value: Any) -> Any:
    """PostgreSQL's texts cannot hold a NUL. The doors refuse it; should the log hold one, the row does without."""
    return value.replace("\0", "") if isinstance(value, str) else value
