"""An event as a message: the subject it is published under, and CloudEvents 1.0 in binary mode.

docs/events.md describes this to subscribers; docs/asyncapi.yaml is generated for the same messages.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import NamedTuple, cast
from urllib.parse import quote, unquote
from uuid import UUID

from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import LogRow
from domain.catalogue import Catalogue
from domain.event import Envelope, Recorded, Source

STREAM = "EVENTS"
SUBJECT_PREFIX = "tidemark.events"
SUBJECTS = f"{SUBJECT_PREFIX}.>"

# Room that the headers need beside the data in the server's limit for one message.
HEADER_ROOM = 4096

# CloudEvents headers hold printable ASCII; a space, a quote or a percent sign is escaped as in URLs.
_is_plain = re.compile(r"[!#-$&-~]*").fullmatch
_SAFE = "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"


class Message(NamedTuple):
    """What a relay publishes. `headers` are complete and clean lines, ready to be sent."""

    subject: str
    headers: bytes
    data: bytes

    def after(self, sequence: int) -> "Message":
        """The same, which the stream takes only as the one behind that sequence."""
        version, rest = self.headers[:10], self.headers[10:]
        return self._replace(headers=b"%sNats-Expected-Last-Sequence: %d\r\n%s" % (version, sequence, rest))


def message(row: LogRow, mapper: Mapper, source: str, largest: int) -> Message:
    """The message for a row of the log. `source` names the log; `largest` is what one message may hold, in bytes.

    An event too large for a message is announced without its data, which `ce-dataref` says where to find: leaving
    it out altogether would leave a gap, and waiting for it would stop everything behind it.
    """
    stored = mapper.stored(row.state)
    topic, data = mapper.public(row.topic, stored.data)
    aggregate = str(row.aggregate_id)
    more = f"ce-causationid: {_escaped(stored.causation_id)}\r\n" if stored.causation_id is not None else ""
    if len(data) + HEADER_ROOM > largest:
        more += f"ce-dataref: /events/{row.position}\r\n"
        data = b""
    headers = (
        "NATS/1.0\r\n"
        f"Nats-Msg-Id: {row.position}\r\n"
        "content-type: application/json\r\n"
        "ce-specversion: 1.0\r\n"
        f"ce-id: {stored.id}\r\n"
        f"ce-source: {source}\r\n"
        f"ce-type: {topic}\r\n"
        f"ce-subject: {aggregate}\r\n"
        f"ce-time: {stored.at.isoformat()}\r\n"
        f"ce-sequence: {row.position}\r\n"
        f"ce-aggregateversion: {row.version}\r\n"
        f"ce-actor: {_escaped(stored.actor)}\r\n"
        f"ce-via: {stored.source}\r\n"
        f"ce-correlationid: {_escaped(stored.correlation_id)}\r\n"
        f"{more}\r\n"
    )
    # The stream takes the message only as its next one, so that its sequence is the log's position.
    return Message(f"{subject_of(topic)}{aggregate}", headers.encode("ascii"), data).after(row.position - 1)


def source_of(identity: str) -> str:
    """The `ce-source` of all events of one log."""
    return f"urn:uuid:{identity}"


def recorded(catalogue: Catalogue, headers: Mapping[str, str], data: bytes) -> Recorded | None:
    """The event that a message carries, None when the message does not carry all of it: its private and
    personal fields, or data too large for a message, are in the log only. Raises UnknownTopicError, KeyError or
    ValueError for a message that no relay of this version made."""
    topic = headers["ce-type"]
    event = catalogue.by_topic.get(topic)
    if (event is not None and event.withheld) or "ce-dataref" in headers:
        return None
    causation = headers.get("ce-causationid")
    return Recorded(
        position=int(headers["ce-sequence"]),
        aggregate_id=UUID(headers["ce-subject"]),
        version=int(headers["ce-aggregateversion"]),
        event=catalogue.decode(topic, data),
        envelope=Envelope(
            id=UUID(headers["ce-id"]),
            at=datetime.fromisoformat(headers["ce-time"]),
            actor=unquote(headers["ce-actor"]),
            source=cast("Source", headers["ce-via"]),
            correlation_id=unquote(headers["ce-correlationid"]),
            causation_id=None if causation is None else unquote(causation),
        ),
    )


@cache
def subject_of(topic: str) -> str:
    """The subject of a topic up to the aggregate's id: without the version, which subscribers find in `ce-type`."""
    return f"{SUBJECT_PREFIX}.{topic.rpartition('.')[0]}."


def _escaped(value: str) -> str:
    return value if _is_plain(value) else quote(value, safe=_SAFE)
