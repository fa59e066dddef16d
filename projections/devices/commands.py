"""What devices were asked for, by whom, and what came of it.

Each outcome says in which position of the log it became known, so that a row tells every moment of its command.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, get_args
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import UNSET

from domain.devices.command import (
    DeviceCommandAnswered,
    DeviceCommandFailed,
    DeviceCommandIssued,
    DeviceCommandPublished,
    DeviceCommandTimedOut,
)
from domain.event import Recorded
from projections.as_of import POSITION
from projections.batch import Batch
from projections.database import METADATA, Database
from projections.readmodel import Target

_KNOWN = f"CASE WHEN {{name}}_in <= {POSITION} THEN {{column}} END"
_LATEST = ", ".join(
    _KNOWN.format(name=name, column=f"{name}_in") for name in ("published", "failed", "answered", "timed_out")
)
_AS_OF = f"""
    SELECT id, device_id, position, kind, part_id, action, value, requested_at, actor,
        CASE greatest({_LATEST})
            WHEN published_in THEN 'published' WHEN failed_in THEN 'failed'
            WHEN answered_in THEN 'answered' WHEN timed_out_in THEN 'timed_out' ELSE 'issued'
        END AS state,
        {_KNOWN.format(name="failed", column="reason")} AS reason,
        {_KNOWN.format(name="answered", column="answered_at")} AS answered_at,
        {_KNOWN.format(name="answered", column="answer_status")} AS answer_status,
        {_KNOWN.format(name="answered", column="answer_value")} AS answer_value,
        {_KNOWN.format(name="answered", column="answer_error")} AS answer_error
    FROM public.device_commands WHERE position <= {POSITION}
"""

# `value` and `answer_value` are JSON, null (of SQL) when absent. Text, because jsonb cannot hold every text of JSON.
COMMANDS = sa.Table(
    "device_commands",
    METADATA,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("device_id", sa.Uuid, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("part_id", sa.Uuid),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("value", sa.Text),
    sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("answered_at", sa.DateTime(timezone=True)),
    sa.Column("answer_status", sa.Text),
    sa.Column("answer_value", sa.Text),
    sa.Column("answer_error", sa.Text),
    sa.Column("published_in", sa.BigInteger),
    sa.Column("failed_in", sa.BigInteger),
    sa.Column("answered_in", sa.BigInteger),
    sa.Column("timed_out_in", sa.BigInteger),
    info={"as_of": _AS_OF},
)

Row = dict[str, Any]


class DeviceCommandHistory:
    """The read model `device_commands`."""

    name: ClassVar[str] = "device_commands"
    version: ClassVar[int] = 2
    tables: ClassVar[Sequence[sa.Table]] = (COMMANDS,)

    async def apply(self, batch: Batch, to: Target) -> None:
        """Whatever the batch holds, in two statements: what is asked and answered in one batch is one new row."""
        issued: dict[UUID, Row] = {}
        changed: dict[UUID, Row] = {}
        for recorded in batch.of(DeviceCommandIssued, *_OUTCOMES):
            event = recorded.event
            if isinstance(event, DeviceCommandIssued):
                issued.setdefault(event.command_id, _issued(recorded, event))
            elif isinstance(event, _OUTCOMES):
                row = issued.get(event.command_id)
                row = changed.setdefault(event.command_id, {"id": event.command_id}) if row is None else row
                row.update(_outcome(recorded, event))
        if issued:
            await self._insert(list(issued.values()), to)
        if changed:
            await self._change(list(changed.values()), to)

    async def _insert(self, rows: Sequence[Row], to: Target) -> None:
        columns = ", ".join(column.name for column in COMMANDS.columns)
        query = f"INSERT INTO {to.name(COMMANDS)} ({columns}) SELECT * FROM {_unnest(COMMANDS.columns)} AS n"
        arrays = _arrays(COMMANDS.columns, rows)
        await to.connection.execute(f"{query} ON CONFLICT DO NOTHING".encode(), arrays, prepare=True)

    async def _change(self, rows: Sequence[Row], to: Target) -> None:
        names = ", ".join(column.name for column in _CHANGING)
        told = ", ".join(f"{column.name} = coalesce(n.{column.name}, c.{column.name})" for column in _CHANGING[1:])
        query = f"UPDATE {to.name(COMMANDS)} c SET {told} FROM {_unnest(_CHANGING)} AS n({names}) WHERE c.id = n.id"
        await to.connection.execute(query.encode(), _arrays(_CHANGING, rows), prepare=True)


_Outcome = DeviceCommandPublished | DeviceCommandFailed | DeviceCommandAnswered | DeviceCommandTimedOut
_OUTCOMES = get_args(_Outcome)
_CHANGING = [
    COMMANDS.c[name]
    for name in (
        *("id", "state", "reason", "answered_at", "answer_status", "answer_value", "answer_error"),
        *("published_in", "failed_in", "answered_in", "timed_out_in"),
    )
]


def _issued(recorded: Recorded, event: DeviceCommandIssued) -> Row:
    return {
        "id": event.command_id,
        "device_id": event.device_id,
        "position": recorded.position,
        "kind": event.kind,
        "part_id": event.part_id,
        "action": _storable(event.action),
        "value": _json(event.value),
        "requested_at": event.issued_at,
        "actor": recorded.envelope.actor,
        "state": "issued",
    }


def _outcome(recorded: Recorded, event: _Outcome) -> Row:
    """What becomes known with it; nothing that is known is forgotten again."""
    position = recorded.position
    match event:
        case DeviceCommandPublished():
            return {"state": "published", "published_in": position}
        case DeviceCommandTimedOut():
            return {"state": "timed_out", "timed_out_in": position}
        case DeviceCommandFailed():
            return {"state": "failed", "failed_in": position, "reason": _storable(event.reason)}
        case DeviceCommandAnswered():
            answer = {"answer_value": _json(event.value), "answer_error": _storable(event.error)}
            told = {name: value for name, value in answer.items() if value is not None}
            return {
                "state": "answered",
                "answered_in": position,
                "answered_at": recorded.envelope.at,
                "answer_status": event.status,
                **told,
            }


def _unnest(columns: Iterable[sa.Column[Any]]) -> str:
    return f"unnest({', '.join(f'%s::{_TYPES[type(column.type)]}[]' for column in columns)})"


_TYPES: dict[type, str] = {sa.Uuid: "uuid", sa.Text: "text", sa.BigInteger: "bigint", sa.DateTime: "timestamptz"}


def _arrays(columns: Iterable[sa.Column[Any]], rows: Sequence[Row]) -> list[list[Any]]:
    return [[row.get(column.name) for row in rows] for column in columns]


def _json(value: Any) -> str | None:
    return None if value is UNSET else msgspec.json.encode(value).decode()


def _storable(text: str | None) -> str | None:
    """PostgreSQL's texts cannot hold a NUL."""
    return text and text.replace("\0", "")


class CommandRow(NamedTuple):
    id: UUID
    kind: str
    part_id: UUID | None
    action: str
    value: str | None
    requested_at: datetime
    actor: str
    state: str
    reason: str | None
    answered_at: datetime | None
    answer_status: str | None
    answer_value: str | None
    answer_error: str | None


class CommandQueries:
    """Queries. The newest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, device_id: UUID, limit: int) -> "list[CommandRow]":
        rows = await self._database.all(_LIST, device_id=device_id, limit=limit)
        return [CommandRow._make(row) for row in rows]


_LIST = (
    sa.select(*[COMMANDS.c[field] for field in CommandRow._fields])
    .where(COMMANDS.c.device_id == sa.bindparam("device_id"))
    .order_by(COMMANDS.c.position.desc())
    .limit(sa.bindparam("limit", type_=sa.BigInteger))
)
