"""Events as the audit shows them: without private fields, and with the names of those who acted."""

import csv
import io
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from projections.audit.trail_queries import Row

ShownEvent = Callable[[int, UUID, int, str, bytes], tuple[datetime, bytes]]
Names = Callable[[Collection[UUID]], Awaitable[Mapping[UUID, str]]]

_USER = "user:"


class EventView(msgspec.Struct):
    """An event: where in the log, when, who through what in which conversation because of what, and what."""

    position: int
    id: UUID
    at: datetime
    actor: str
    source: str
    correlation_id: str
    topic: str
    aggregate_id: UUID
    version: int
    data: msgspec.Raw
    causation_id: str | None = None
    actor_name: str | None = None


COLUMNS = (
    *("position", "at", "actor", "actor_name", "source", "correlation_id", "causation_id"),
    *("topic", "aggregate_id", "version", "id", "data"),
)

_decode = msgspec.json.Decoder(EventView).decode
_encode = msgspec.json.Encoder().encode


class Views:
    def __init__(self, shown: ShownEvent, names: Names) -> None:
        self._shown = shown
        self._names = names

    async def of(self, rows: Sequence[Row]) -> list[EventView]:
        views = [_decode(self._shown(*row)[1]) for row in rows]
        users = {view.actor: id for view in views if (id := _user_of(view.actor)) is not None}
        names = await self._names(set(users.values()))
        for view in views:
            if view.actor in users:
                view.actor_name = names.get(users[view.actor])
        return views


def ndjson(views: Sequence[EventView]) -> bytes:
    return b"".join([_encode(view) + b"\n" for view in views])


def as_csv(views: Sequence[EventView]) -> bytes:
    """RFC 4180, with a line of names."""
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow(COLUMNS)
    for view in views:
        fields: Mapping[str, Any] = msgspec.structs.asdict(view)
        at = str(_encode(view.at), "ascii").strip('"')
        writer.writerow([at if name == "at" else _cell(fields[name]) for name in COLUMNS])
    return sink.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(bytes(value), "utf-8") if isinstance(value, msgspec.Raw) else str(value)


def _user_of(actor: str) -> UUID | None:
    if not actor.startswith(_USER):
        return None
    try:
        return UUID(actor.removeprefix(_USER))
    except ValueError:
        return None
