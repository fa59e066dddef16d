"""The versions of readings that were corrected or removed, so that the past can be told and asked for.

A version holds from one position of the log to another. A reading that nobody ever touched has no row here: it holds
from its recording on, and stands in `readings` alone.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from domain.devices.reading import ReadingCorrected, ReadingRemoved
from domain.event import Recorded
from domain.identifiers import reading_place
from projections.as_of import POSITION
from projections.database import METADATA
from projections.readmodel import Target

# `what` is recorded, corrected or removed. A removed reading says what it said last. `actor` is NULL where it is that
# of the recording, which the log knows.
READING_VERSIONS = sa.Table(
    "reading_versions",
    METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("valid_from", sa.BigInteger, primary_key=True),
    sa.Column("valid_to", sa.BigInteger),
    sa.Column("sensor_id", sa.Uuid, nullable=False),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("value_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("actor", sa.Text),
    info={
        "as_of": f"""
            SELECT id, valid_from, CASE WHEN valid_to <= {POSITION} THEN valid_to END AS valid_to,
                sensor_id, value, value_at, what, at, actor
            FROM public.reading_versions WHERE valid_from <= {POSITION}
        """
    },
)


class _Present(NamedTuple):
    id: int
    sensor_id: UUID
    value: float
    value_at: datetime
    received_at: datetime
    versioned: bool


class _Version(NamedTuple):
    id: int
    valid_from: int
    valid_to: int | None
    sensor_id: UUID
    value: float
    value_at: datetime
    what: str
    at: datetime
    actor: str | None


async def apply_amendments(amendments: Sequence[Recorded], to: Target, readings: sa.Table) -> None:
    """Corrects and removes rows of `readings` and keeps their versions. What is not there stays away: whoever asked
    for it was too late."""
    before = await _present(amendments, to, readings)
    changed: dict[int, tuple[float, datetime] | None] = {}
    ended: dict[int, int] = {}
    open_: dict[int, _Version] = {}
    versions: list[_Version] = []
    for recorded in amendments:
        event = recorded.event
        if not isinstance(event, ReadingCorrected | ReadingRemoved) or event.reading_id not in before:
            continue
        id, position = event.reading_id, recorded.position
        row = before[id]
        if changed.get(id, row) is None:
            continue
        last = open_.get(id)
        if last is not None:
            versions.append(last._replace(valid_to=position))
        elif row.versioned:
            ended[id] = position
        else:
            versions.append(_recorded(row, position))
        envelope = recorded.envelope
        if isinstance(event, ReadingCorrected):
            says, what = (event.value, event.value_at), "corrected"
            changed[id] = says
        else:
            says, what = changed.get(id) or (row.value, row.value_at), "removed"
            changed[id] = None
        open_[id] = _Version(id, position, None, row.sensor_id, *says, what, envelope.at, envelope.actor)
    await _write(ended, [*versions, *open_.values()], to)
    await _change(changed, to, readings)


async def _present(amendments: Sequence[Recorded], to: Target, readings: sa.Table) -> dict[int, _Present]:
    ids = {
        recorded.event.reading_id
        for recorded in amendments
        if isinstance(recorded.event, ReadingCorrected | ReadingRemoved)
    }
    query = (
        "SELECT id, sensor_id, value, value_at, received_at,"
        f" EXISTS (SELECT FROM {to.name(READING_VERSIONS)} v WHERE v.id = r.id)"
        f" FROM {to.name(readings)} r WHERE id = ANY(%s)"
    )
    cursor = to.connection.cursor(binary=True)
    await cursor.execute(query.encode(), (list(ids),), prepare=True)
    return {row[0]: _Present._make(row) for row in await cursor.fetchall()}


def _recorded(row: _Present, until: int) -> _Version:
    since, _ = reading_place(row.id)
    return _Version(row.id, since, until, row.sensor_id, row.value, row.value_at, "recorded", row.received_at, None)


async def _write(ended: dict[int, int], versions: Sequence[_Version], to: Target) -> None:
    name = to.name(READING_VERSIONS)
    if ended:
        query = (
            f"UPDATE {name} v SET valid_to = e.position FROM unnest(%s::bigint[], %s::bigint[]) AS e(id, position)"
            " WHERE v.id = e.id AND v.valid_to IS NULL"
        )
        await to.connection.execute(query.encode(), (list(ended), list(ended.values())), prepare=True)
    async with to.connection.cursor().copy(f"COPY {name} FROM STDIN".encode()) as copy:
        for version in versions:
            await copy.write_row(version)


async def _change(changed: dict[int, tuple[float, datetime] | None], to: Target, readings: sa.Table) -> None:
    name = to.name(readings)
    corrected: list[tuple[Any, ...]] = [(id, *says) for id, says in changed.items() if says]
    removed = [id for id, says in changed.items() if says is None]
    if corrected:
        query = (
            f"UPDATE {name} r SET value = c.value, value_at = c.value_at"
            " FROM unnest(%s::bigint[], %s::float8[], %s::timestamptz[]) AS c(id, value, value_at) WHERE r.id = c.id"
        )
        await to.connection.execute(query.encode(), [list(column) for column in zip(*corrected, strict=True)])
    if removed:
        await to.connection.execute(f"DELETE FROM {name} WHERE id = ANY(%s)".encode(), (removed,))
