"""What the properties of things are now, a row each; and what they were, as keyframes (docs/adr/0023)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from domain.connectors.properties import PropertiesUpdated
from domain.connectors.thing import ThingRemoved
from domain.event import Recorded
from projections.database import METADATA, storable
from projections.keyframes import Folding, Happened, Keyframes, keyframe_table
from projections.readmodel import Target

PROPERTIES = sa.Table(
    "thing_properties",
    METADATA,
    sa.Column("thing_id", sa.Uuid, primary_key=True),
    sa.Column("component_id", sa.Text, primary_key=True),
    sa.Column("property_id", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
)

# Of each thing.
THING_KEYFRAMES = keyframe_table("thing_keyframes")


class ValueRow(NamedTuple):
    value: str
    updated_at: datetime


Values = Mapping[tuple[str, str], ValueRow]
"""By component and property."""

_Key = tuple[UUID, str, str]


async def store_values(batch: Sequence[Recorded], to: Target) -> None:
    """The last value of each property in the batch; those of things that are removed go."""
    newest: dict[_Key, tuple[str, datetime]] = {}
    removed: set[UUID] = set()
    for recorded in batch:
        match recorded.event:
            case PropertiesUpdated() as event:
                for value in event.values:
                    key = (event.thing_id, value.component_id, value.property_id)
                    newest[key] = (storable(value.value), value.at or recorded.envelope.at)
            case ThingRemoved() as event:
                removed.add(event.thing_id)
                newest = {key: told for key, told in newest.items() if key[0] != event.thing_id}
    name = to.name(PROPERTIES)
    if removed:
        await to.connection.execute(
            f"DELETE FROM {name} WHERE thing_id = ANY(%s)".encode(), (list(removed),), prepare=True
        )
    if newest:
        query = (
            f"INSERT INTO {name}"
            " SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])"
            " ON CONFLICT (thing_id, component_id, property_id)"
            " DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at"
        )
        columns = [
            list(column) for column in zip(*((*key, *told) for key, told in sorted(newest.items())), strict=True)
        ]
        await to.connection.execute(query.encode(), columns, prepare=True)


def _evolve(values: Values, happened: Happened) -> Values:
    if not isinstance(happened.event, PropertiesUpdated):
        return values
    told = {
        (one.component_id, one.property_id): ValueRow(storable(one.value), one.at or happened.at)
        for one in happened.event.values
    }
    return {**values, **told}


def _encode(values: Values) -> bytes:
    return msgspec.json.encode([(*key, *value) for key, value in sorted(values.items())])


_rows = msgspec.json.Decoder(list[tuple[str, str, str, datetime]]).decode


def _decode(frame: bytes) -> Values:
    return {(component, property): ValueRow(value, at) for component, property, value, at in _rows(frame)}


VALUES: Folding[Values] = Folding(THING_KEYFRAMES, 64, dict, _evolve, _encode, _decode)


def value_keyframes() -> Keyframes[Values]:
    return Keyframes(VALUES, _present)


async def _present(things: Collection[UUID], to: Target) -> dict[UUID, Values]:
    query = f"""
        SELECT thing_id, component_id, property_id, value, updated_at FROM {to.name(PROPERTIES)}
        WHERE thing_id = ANY(%s)
    """
    cursor = to.connection.cursor(binary=True)
    await cursor.execute(query.encode(), (list(things),), prepare=True)
    values: dict[UUID, dict[tuple[str, str], ValueRow]] = {}
    for thing, component, property, value, at in await cursor.fetchall():
        values.setdefault(thing, {})[component, property] = ValueRow(value, at.astimezone(UTC))
    return dict(values)
