"""Taking the values out of events without changing their leaves, and looking whether that was allowed."""

import json
from collections.abc import Iterable
from typing import Any

from psycopg import Connection

from adapters.proof.offline import CLOSING, Closings, Entry, parted
from domain.identifiers import topic_id


def without_values(state: bytes) -> bytes:
    """The same event; the SHA-256 of its values stands behind everything else, where nobody who reads events looks.

    Raises ValueError for what is no event with values.
    """
    head, digest, tail = parted(state)
    return b'%s[]%s,"values_sha256":"%s"}' % (head, tail[:-1], digest.hex().encode())


def require_closed(connection: Connection[Any], emptied: Iterable[Entry]) -> None:
    """Raises Wrong for the first of these events that no closing on record covers."""
    closings, names = Closings(), set[str]()
    for entry in emptied:
        name = json.loads(entry.state)["data"]["name"]
        if name not in names:
            names.add(name)
            found = connection.execute(
                "SELECT notification_id, originator_id, originator_version, state FROM events"
                " WHERE originator_id = %s AND topic = %s",
                (topic_id(name), CLOSING.decode()),
            )
            for position, topic, version, state in found:
                closings.look_at(Entry(position, topic.bytes, version, CLOSING, bytes(state)))
        closings.look_at(entry)
    closings.require()
