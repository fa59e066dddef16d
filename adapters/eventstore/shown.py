"""An event as whoever may read the log gets to see it: everything but its private fields, as one JSON object."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from adapters.eventstore.mapper import Mapper, StoredState
from adapters.eventstore.reader import LogRow
from domain.catalogue import UnknownTopicError

_encode = msgspec.json.Encoder().encode


class Shown(NamedTuple):
    at: datetime
    json: bytes


def shown(row: LogRow, mapper: Mapper) -> Shown:
    stored = mapper.stored(row.state)
    event = {
        "position": row.position,
        "id": stored.id,
        "at": stored.at,
        "actor": stored.actor,
        "source": stored.source,
        "correlation_id": stored.correlation_id,
        "causation_id": stored.causation_id,
        "topic": row.topic,
        "aggregate_id": row.aggregate_id,
        "version": row.version,
        "data": msgspec.Raw(public_data(row.topic, stored, mapper)),
    }
    return Shown(stored.at, _encode(event))


def public_data(topic: str, stored: StoredState, mapper: Mapper) -> bytes:
    """`null` for an event of a newer version: nobody can tell what of it is private."""
    try:
        return mapper.public_data(topic, stored.data)
    except UnknownTopicError:
        return b"null"
