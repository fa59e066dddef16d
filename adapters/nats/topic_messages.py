"""A message of a topic as it is in the stream STREAMS. docs/streams.md describes this to subscribers."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote
from uuid import UUID

import msgspec

from adapters.eventstore.reader import LogRow
from adapters.nats.messages import HEADER_ROOM, Message
from domain.streams.partition import MessagesProduced
from domain.value import Value

STREAM = "STREAMS"
SUBJECT_PREFIX = "tidemark.streams"
SUBJECTS = f"{SUBJECT_PREFIX}.>"

POSITION, OFFSET, EVENT = "tidemark-position", "tidemark-offset", "tidemark-event"

# What a subject may not hold, or what means something in it, is escaped as in URLs; so is a dot that leaves nothing
# between it and another one.
_SAFE = "!#$&'()+,-./:;<=?@[\\]^_`{|}~"
_empty_token = re.compile(r"^\.|\.$|(?<=\.)\.")


class Copied(NamedTuple):
    """The last message that is in the stream: the event that brought it, and its offset in the partition."""

    position: int
    offset: int


class _Produced(Value):
    id: UUID
    at: datetime
    data: MessagesProduced


class _Identified(Value):
    id: UUID


_identified = msgspec.json.Decoder(_Identified).decode
_decode = msgspec.json.Decoder(_Produced).decode
_values = msgspec.json.Decoder(list[msgspec.Raw]).decode


def messages_of(row: LogRow, last: Copied, largest: int) -> Iterator[tuple[Copied, Message]]:
    """Those of one event that are not in the stream yet. A value too large for a message is announced without it."""
    stored = _decode(row.state)
    event = stored.data
    subject = subject_of(event.name, event.partition)
    head = (
        f"content-type: application/json\r\n{POSITION}: {row.position}\r\n{EVENT}: {stored.id}\r\n"
        f"tidemark-time: {stored.at.isoformat()}\r\n"
        f"tidemark-topic: {quote(event.name, safe=_SAFE)}\r\ntidemark-partition: {event.partition}\r\n"
    )
    for offset, raw in enumerate(_values(event.values), event.offset):
        if row.position == last.position and offset <= last.offset:
            continue
        value, more = bytes(raw), ""
        if len(value) + HEADER_ROOM > largest:
            value, more = b"", f"ce-dataref: /streams/v1/topic/{quote(event.name, safe='')}/tail\r\n"
        headers = f"NATS/1.0\r\nNats-Msg-Id: {row.position}.{offset}\r\n{head}{OFFSET}: {offset}\r\n{more}\r\n"
        yield Copied(row.position, offset), Message(subject, headers.encode("ascii"), value)


def event_id(row: LogRow) -> str:
    """Of whatever event."""
    return str(_identified(row.state).id)


@lru_cache(maxsize=4_096)
def subject_of(name: str, partition: int) -> str:
    """`tidemark.streams.<topic>.<partition>`."""
    escaped = _empty_token.sub("%2E", quote(name, safe=_SAFE))
    return f"{SUBJECT_PREFIX}.{escaped}.{partition}"


def copied(headers: Mapping[str, str]) -> Copied:
    """Where a message of the stream stands. Raises KeyError or ValueError for one that no relay made."""
    return Copied(int(headers[POSITION]), int(headers[OFFSET]))
