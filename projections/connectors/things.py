"""Things with all their versions, the present values of their properties, and what is asked of them.

What a property was before is a reading of the device that the thing is, where it can be measured, and in the log; what
all of a thing were at a moment is told from keyframes (`thing_values`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, get_args
from uuid import UUID

import msgspec
import sqlalchemy as sa

from domain.connectors.action import ActionAsked, ActionCompleted, ActionFailed
from domain.connectors.properties import PropertiesUpdated
from domain.connectors.subject import SubjectForgotten
from domain.connectors.thing import ThingMade, ThingRedescribed, ThingRemoved, ThingStatusChanged
from domain.event import Recorded
from domain.identifiers import subject_id
from domain.person import pseudonym
from projections.as_of import POSITION
from projections.batch import Batch
from projections.connectors.thing_values import PROPERTIES, THING_KEYFRAMES, store_values, value_keyframes
from projections.database import METADATA, storable
from projections.keyframes import Told
from projections.readmodel import Target
from projections.versioned import Row, VersionedRows, rewrite, versioned_table

# `description` is JSON; text, because jsonb cannot hold every text of JSON.
THINGS = versioned_table(
    "things",
    sa.Column("person", sa.Uuid, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("client_id", sa.Uuid),
    sa.Column("connector_thing_id", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
)

ACTIONS = sa.Table(
    "thing_actions",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("thing_id", sa.Uuid, nullable=False),
    sa.Column("client_id", sa.Uuid),
    sa.Column("component_id", sa.Text, nullable=False),
    sa.Column("action_id", sa.Text, nullable=False),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("deadline", sa.DateTime(timezone=True), nullable=False),
    sa.Column("settled_at", sa.DateTime(timezone=True)),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("settled_in", sa.BigInteger),
    info={
        "as_of": f"""
            SELECT id, thing_id, component_id, action_id, deadline,
                CASE WHEN settled_in <= {POSITION} THEN status ELSE 'PENDING' END AS status,
                CASE WHEN settled_in <= {POSITION} THEN reason END AS reason
            FROM public.thing_actions WHERE position <= {POSITION}
        """
    },
)

_ThingEvent = ThingMade | ThingRedescribed | ThingStatusChanged | ThingRemoved
_THING_EVENTS = get_args(_ThingEvent)


class Things:
    """The read model `things`."""

    name: ClassVar[str] = "things"
    version: ClassVar[int] = 3
    tables: ClassVar[Sequence[sa.Table]] = (THINGS, PROPERTIES, ACTIONS, THING_KEYFRAMES)

    def __init__(self) -> None:
        self._things = VersionedRows(THINGS, _evolve, key=_thing_id)
        self._values = value_keyframes()

    async def apply(self, batch: Batch, to: Target) -> None:
        await self._things.apply(batch.of(*_THING_EVENTS), to)
        for recorded in batch.of(SubjectForgotten):
            if isinstance(recorded.event, SubjectForgotten):
                for person in (recorded.event.person, recorded.aggregate_id):
                    await rewrite(to, THINGS, "person", person, subject=pseudonym(recorded.event.person))
        values = batch.of(PropertiesUpdated, ThingRemoved)
        told = [
            Told(one.event.thing_id, one, isinstance(one.event, ThingRemoved))
            for one in values
            if isinstance(one.event, PropertiesUpdated | ThingRemoved)
        ]
        await self._values.take(batch, told, to)
        if values:
            await store_values(values, to)
        if actions := batch.of(ActionAsked, ActionCompleted, ActionFailed):
            await _store_actions(actions, to)


def _thing_id(recorded: Recorded) -> UUID:
    """A thing is recorded on a stream beside that of the device that it is."""
    assert isinstance(recorded.event, _ThingEvent)
    return recorded.event.thing_id


def _evolve(row: Row | None, recorded: Recorded) -> Row | None:
    at = recorded.envelope.at
    match recorded.event:
        case ThingMade() as event:
            return {
                "id": event.thing_id,
                # Of who had no key yet, the subject itself is as good.
                "person": event.person or subject_id(event.owner, event.subject),
                "owner": event.owner,
                "subject": event.subject,
                "client_id": event.client_id,
                "connector_thing_id": event.connector_thing_id,
                "description": _json(event.description),
                "status": event.status,
                "created_at": at,
                "updated_at": at,
            }
        case ThingRedescribed() as event if row:
            return {**row, "description": _json(event.description), "updated_at": at}
        case ThingStatusChanged() as event if row:
            return {**row, "status": event.status, "updated_at": at}
        case ThingRemoved():
            return None
    return row


async def _store_actions(batch: Sequence[Recorded], to: Target) -> None:
    asked: dict[UUID, list[Any]] = {}
    settled: dict[UUID, tuple[str, str | None, datetime, int]] = {}
    for recorded in batch:
        match recorded.event:
            case ActionAsked() as event:
                asked[recorded.aggregate_id] = _asked(recorded, event)
            case ActionCompleted():
                settled[recorded.aggregate_id] = ("COMPLETED", None, recorded.envelope.at, recorded.position)
            case ActionFailed() as event:
                failed = ("FAILED", storable(event.reason), recorded.envelope.at, recorded.position)
                settled[recorded.aggregate_id] = failed
    name = to.name(ACTIONS)
    if asked:
        async with to.connection.cursor().copy(f"COPY {name} FROM STDIN".encode()) as copy:
            for row in asked.values():
                await copy.write_row(row)
    if settled:
        query = (
            f"UPDATE {name} a SET status = n.status, reason = n.reason, settled_at = n.at, settled_in = n.position"
            " FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::bigint[])"
            " AS n(id, status, reason, at, position)"
            " WHERE a.id = n.id"
        )
        columns = [list(column) for column in zip(*((id, *told) for id, told in settled.items()), strict=True)]
        await to.connection.execute(query.encode(), columns, prepare=True)


def _asked(recorded: Recorded, event: ActionAsked) -> list[Any]:
    return [
        recorded.aggregate_id,
        event.thing_id,
        event.client_id,
        storable(event.component_id),
        storable(event.action_id),
        _json(event.parameters),
        "PENDING",
        None,
        recorded.envelope.actor,
        recorded.envelope.at,
        event.deadline,
        None,
        recorded.position,
        None,
    ]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
