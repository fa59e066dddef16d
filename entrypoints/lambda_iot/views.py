"""The bodies of this contract's answers, with exactly the documented keys."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Response
from msgspec import UNSET, UnsetType

from domain.value import Value
from entrypoints.lambda_iot.errors import JSON, MissingError
from projections.devices.commands import CommandRow
from projections.devices.directory import DeviceRow, PartRow
from projections.devices.messages import MessageRow
from projections.devices.reading_queries import ReadingRow, VersionRow
from projections.positions import Freshness

R = TypeVar("R")

_encode = msgspec.json.Encoder().encode


class DeviceView(Value, omit_defaults=False):
    id: UUID
    name: str
    description: str
    location: str
    status_id: int
    created_at: datetime
    updated_at: datetime


class PartView(Value, omit_defaults=False):
    """A sensor or an actor."""

    id: UUID
    device_id: UUID
    name: str
    type: str
    data_type_id: int
    created_at: datetime
    updated_at: datetime


class ReadingView(Value, omit_defaults=False):
    id: int
    sensor_id: UUID
    value: float
    value_at: datetime


class ReadingVersionView(Value, omit_defaults=False):
    value: float
    value_at: datetime
    at: datetime
    actor: str
    what: str


class CommandView(Value, omit_defaults=False):
    """Keys whose value there is none of are left out, so that an absent value is not one that is null."""

    id: UUID
    kind: str
    part_id: UUID | None
    action: str
    requested_at: datetime
    actor: str
    state: str
    answered_at: datetime | None
    value: msgspec.Raw | UnsetType = UNSET
    error: str | UnsetType = UNSET
    answer: "AnswerView | UnsetType" = UNSET


class AnswerView(Value, omit_defaults=False):
    """The device's own word."""

    status: str
    value: msgspec.Raw | UnsetType = UNSET
    error: str | UnsetType = UNSET


class MessageView(Value, omit_defaults=False):
    id: int
    payload: str
    timestamp: datetime
    topic: str | UnsetType = UNSET


class MessagePage(Value, omit_defaults=False):
    messages: list[MessageView]


def device_view(row: DeviceRow) -> DeviceView:
    return DeviceView(**row._asdict())


def part_view(row: PartRow) -> PartView:
    return PartView(**row._asdict())


def reading_view(row: ReadingRow) -> ReadingView:
    return ReadingView(id=row.id, sensor_id=row.sensor_id, value=row.value, value_at=row.value_at)


def reading_version_view(row: VersionRow) -> ReadingVersionView:
    return ReadingVersionView(**row._asdict())


def command_view(row: CommandRow) -> CommandView:
    answered = AnswerView(
        status=row.answer_status or "ok", value=_raw(row.answer_value), error=row.answer_error or UNSET
    )
    return CommandView(
        id=row.id,
        kind=row.kind,
        part_id=row.part_id,
        action=row.action,
        value=_raw(row.value),
        requested_at=row.requested_at,
        actor=row.actor,
        state=row.state,
        error=row.reason or UNSET,
        answered_at=row.answered_at,
        answer=answered if row.answered_at else UNSET,
    )


def message_page(rows: Iterable[MessageRow], *, with_topic: bool) -> MessagePage:
    return MessagePage(
        messages=[
            MessageView(
                id=row.id, payload=row.payload, timestamp=row.timestamp, topic=row.topic if with_topic else UNSET
            )
            for row in rows
        ]
    )


def _raw(text: str | None) -> msgspec.Raw | UnsetType:
    return UNSET if text is None else msgspec.Raw(text.encode())


def found(row: R | None) -> R:
    """The row. Raises MissingError when there is none."""
    if row is None:
        raise MissingError
    return row


def answer(body: Any, status: int = 200, position: int | None = None) -> Response[bytes]:
    """JSON. A write tells the position in the log that it reached."""
    headers = {} if position is None else {"Tidemark-Position": str(position)}
    return Response(_encode(body), status_code=status, media_type=JSON, headers=headers)


def read(body: Value | Iterable[Value], seen: Freshness) -> Response[bytes]:
    """JSON that was read at a position; says so when that was older than the newest write."""
    shown = body if isinstance(body, Value) else list(body)
    return Response(_encode(shown), media_type=JSON, headers=freshness(seen))


def freshness(seen: Freshness) -> dict[str, str]:
    """The headers that tell how old what was read is."""
    headers = {"Tidemark-Position": str(seen.position)}
    if not seen.fresh:
        headers["Tidemark-Stale"] = "true"
    return headers
