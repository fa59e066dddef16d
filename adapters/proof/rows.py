"""Events as PostgreSQL sends them in bulk: the bytes of a row are what the leaf is made of, so nothing has to be taken
apart to check it (docs/adr/0021)."""

import struct
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from psycopg import Connection, sql

from adapters.proof.offline import WITHHOLDING, Entry, is_emptied, leaf_of

_COPY = sql.SQL(
    "COPY (SELECT notification_id, originator_id, originator_version, topic, state FROM events"
    " WHERE notification_id > {after} AND notification_id <= {until} ORDER BY notification_id)"
    " TO STDOUT (FORMAT binary)"
)
_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_END = b"\xff\xff"

# number of fields · 8, position · 16, aggregate · 8, version · the topic's length
_HEAD = struct.Struct(">HIqI16sIqI")
_TOPIC = _HEAD.size
_LENGTH = len(WITHHOLDING) % 256

# Rows come in their order by the index, also where the planner would rather sort.
CONNECTION_OPTIONS = "-c enable_sort=off -c client_encoding=UTF8"


def raw_rows(connection: Connection[Any], after: int, until: int) -> Iterator[memoryview]:
    """The events behind `after`, up to and with `until`; each is valid until the next one is asked for."""
    statement = _COPY.format(after=sql.Literal(after), until=sql.Literal(until))
    with connection.cursor().copy(statement) as copy:
        messages: Iterator[Any] = iter(copy)
        head = memoryview(next(messages))
        # The first row may be joined to the head of the stream.
        row = head[len(_SIGNATURE) + 8 + struct.unpack_from(">I", head, len(_SIGNATURE) + 4)[0] :]
        if len(row) > len(_END):
            yield row
        for row in messages:
            if len(row) > len(_END):
                yield row


def position_of(row: memoryview) -> int:
    return int.from_bytes(row[6:14], signed=True)


def leaves_of(rows: Iterable[memoryview], emptied: list[Entry] | None = None) -> list[bytes]:
    """The events that have no values any more are added to `emptied`."""
    # One loop without calls: it is run through for every event of the log. The last byte of the topic's length is
    # looked at first, because most topics differ in it.
    length_at, topic_end = _TOPIC - 1, _TOPIC + len(WITHHOLDING)
    leaves = []
    for row in rows:
        if row[length_at] == _LENGTH and row[_TOPIC:topic_end] == WITHHOLDING:
            entry = entry_of(row)
            leaves.append(leaf_of(entry))
            if emptied is not None and is_emptied(entry.state):
                emptied.append(entry)
        else:
            leaves.append(sha256(b"\x00" + row).digest())
    return leaves


def entry_of(row: memoryview) -> Entry:
    _, _, position, _, aggregate_id, _, version, length = _HEAD.unpack_from(row)
    end = _TOPIC + length
    return Entry(position, aggregate_id, version, bytes(row[_TOPIC:end]), bytes(row[end + 4 :]))
