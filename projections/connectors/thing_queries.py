"""What is asked about things, by whoever owns them for a subject."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from domain.connectors.thing import ThingDescription, ThingStatus
from projections.connectors.thing_values import PROPERTIES, VALUES, ValueRow, Values
from projections.connectors.things import ACTIONS, THINGS
from projections.database import Database
from projections.keyframes import PastStates

_description = msgspec.json.Decoder(ThingDescription)


class ThingRow(NamedTuple):
    id: UUID
    owner: str
    subject: str
    client_id: UUID | None
    connector_thing_id: str
    description: ThingDescription
    status: ThingStatus


class ActionRow(NamedTuple):
    """`reason` says why it failed."""

    id: UUID
    thing_id: UUID
    component_id: str
    action_id: str
    status: str
    reason: str | None
    deadline: datetime


class ThingQueries:
    """All may raise LogUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._past = PastStates(database, VALUES)

    async def list(self, owner: str, subject: str) -> "Sequence[UUID]":
        """The oldest first."""
        if "\0" in subject:
            return ()
        return [row[0] for row in await self._database.all(_LIST, owner=owner, subject=subject)]

    async def find(self, id: UUID) -> ThingRow | None:
        row = await self._database.one(_FIND, id=id)
        return ThingRow._make(row)._replace(description=_description.decode(row[5])) if row else None

    async def values(self, thing_id: UUID) -> Values:
        """What has never had a value is left out."""
        if (then := await self._past.then([thing_id])) is not None:
            return then.get(thing_id, {})
        rows = await self._database.all(_VALUES, thing_id=thing_id)
        return {(component, property): ValueRow(value, at) for component, property, value, at in rows}

    async def find_action(self, id: UUID) -> ActionRow | None:
        row = await self._database.one(_FIND_ACTION, id=id)
        return ActionRow._make(row) if row else None


def _present(*columns: str) -> sa.Select[Any]:
    return sa.select(*[THINGS.c[column] for column in columns]).where(THINGS.c.valid_to.is_(None))


_LIST = (
    _present("id")
    .where(THINGS.c.subject == sa.bindparam("subject"), THINGS.c.owner == sa.bindparam("owner"))
    .order_by(THINGS.c.created_at, THINGS.c.id)
)
_FIND = _present(*ThingRow._fields).where(THINGS.c.id == sa.bindparam("id"))
_VALUES = sa.select(
    PROPERTIES.c.component_id, PROPERTIES.c.property_id, PROPERTIES.c.value, PROPERTIES.c.updated_at
).where(PROPERTIES.c.thing_id == sa.bindparam("thing_id"))
_FIND_ACTION = sa.select(*[ACTIONS.c[field] for field in ActionRow._fields]).where(ACTIONS.c.id == sa.bindparam("id"))
