"""The AsyncAPI 3 document of the events on NATS, generated from the event classes.

`docs/asyncapi.yaml` is its committed copy; a test fails when it is not current.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from adapters.nats.messages import STREAM, SUBJECT_PREFIX
from domain.catalogue import CATALOGUE
from domain.event import Event

Document = dict[str, Any]

INTRODUCTION = f"""\
Every event of a Tidemark installation, as subscribers receive it from the JetStream stream {STREAM}: CloudEvents 1.0
in binary mode, in the order of the log, with the log's position as the stream's sequence. The operations are written
from the subscriber's side. How to follow the events, and what is guaranteed, is in docs/events.md."""

_REFERENCE = re.compile(r"#/components/schemas/([^\"]+)")
_TEXT: Document = {"type": "string"}
_NUMBER: Document = {"type": "string", "pattern": "^[1-9][0-9]*$"}
_ID: Document = {"type": "string", "format": "uuid"}

HEADERS: Mapping[str, tuple[bool, Document, str]] = {
    # name: (always there, schema, meaning)
    "ce-specversion": (True, {"const": "1.0"}, "The version of CloudEvents."),
    "ce-id": (True, _ID, "The event's own id, the same however often it is sent."),
    "ce-source": (True, {"type": "string", "format": "uri"}, "The log the event is recorded in, `urn:uuid:<id>`."),
    "ce-type": (True, _TEXT, "What happened, with the version of the data's shape."),
    "ce-subject": (True, _ID, "The id of the aggregate it happened to, also the end of the subject."),
    "ce-time": (True, {"type": "string", "format": "date-time"}, "When it was recorded."),
    "ce-sequence": (True, _NUMBER, "The position in the log: gapless from 1, equal to the stream's sequence."),
    "ce-aggregateversion": (True, _NUMBER, "The how many-th event of its aggregate it is."),
    "ce-actor": (True, _TEXT, "Who caused it: `user:<id>`, `device:<id>` or `system:<part>`. Escaped as in URLs."),
    "ce-via": (
        True,
        {"enum": ["http", "mqtt", "websocket", "connector", "system"]},
        "The door through which the command came.",
    ),
    "ce-correlationid": (True, _TEXT, "The same for everything that one request or message led to."),
    "ce-causationid": (False, _TEXT, "The request, message or event that caused it, where that is known."),
    "ce-dataref": (False, _TEXT, "Where to read the data of an event too large for a message; it has no payload."),
    "content-type": (True, {"const": "application/json"}, "The form of the payload."),
    "Nats-Msg-Id": (True, _NUMBER, "The position once more, for JetStream's own recognition of duplicates."),
}


def render() -> str:
    """The document as YAML."""
    return "# Generated from the event classes by entrypoints/asyncapi.py; do not edit.\n" + "".join(
        f"{line}\n" for line in _yaml(document())
    )


def write(path: Path) -> None:
    path.write_text(render(), encoding="utf-8")


def is_current(path: Path) -> bool:
    """Whether the file is what the event classes of today make of it."""
    return path.exists() and path.read_text(encoding="utf-8") == render()


def document() -> Document:
    # Superseded versions stay in the log, but what leaves it is in the present version.
    events = [event for event in CATALOGUE if event.upcast is Event.upcast]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Tidemark events", "version": "1.0.0", "description": " ".join(INTRODUCTION.split())},
        "defaultContentType": "application/json",
        "servers": {
            "nats": {
                "host": "127.0.0.1:4222",
                "protocol": "nats",
                "description": "The NATS server of `tidemark up`, or the one that `TIDEMARK_NATS_URL` names.",
            }
        },
        "channels": {event.topic: _channel(event) for event in events},
        "operations": {f"receive.{event.topic}": _operation(event) for event in events},
        "components": {
            "messages": {event.topic: _message(event) for event in events},
            "schemas": {"Headers": _headers(), **_schemas(events)},
        },
    }


def _channel(event: type[Event]) -> Document:
    return {
        "address": f"{SUBJECT_PREFIX}.{event.topic.rpartition('.')[0]}.{{aggregateId}}",
        "messages": {"event": {"$ref": f"#/components/messages/{event.topic}"}},
        "parameters": {"aggregateId": {"description": f"The id of the {event.topic.split('.')[1]}."}},
        "servers": [{"$ref": "#/servers/nats"}],
    }


def _operation(event: type[Event]) -> Document:
    channel = f"#/channels/{event.topic}"
    return {
        "action": "receive",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/event"}],
    }


def _message(event: type[Event]) -> Document:
    return {
        "name": event.topic,
        "title": event.__name__,
        **({"summary": summary} if (summary := _meaning(event)) else {}),
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/Headers"},
                {"type": "object", "properties": {"ce-type": {"const": event.topic}}},
            ]
        },
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
    }


def _meaning(event: type[Event]) -> str:
    """The docstring, in one line; an event without one may share that of the event it is made after."""
    for cls in event.__mro__[: event.__mro__.index(Event)]:
        if cls.__doc__:
            return " ".join(cls.__doc__.split())
    return ""


def _headers() -> Document:
    return {
        "type": "object",
        "required": [name for name, (required, _, _) in HEADERS.items() if required],
        "properties": {name: {**schema, "description": meaning} for name, (_, schema, meaning) in HEADERS.items()},
    }


def _schemas(events: list[type[Event]]) -> Document:
    template = "#/components/schemas/{name}"
    references, schemas = msgspec.json.schema_components(events, ref_template=template)
    for event, reference in zip(events, references, strict=True):
        # msgspec tells two classes of one name apart by longer names, which the messages above do not know.
        if reference["$ref"] != template.format(name=event.__name__):
            raise ValueError(f"two event classes are called {event.__name__}")
    public = {**schemas, **{event.__name__: _public(schemas[event.__name__], event) for event in events}}
    # As JSON has it: msgspec says what is left out in Python's own values.
    told: Document = msgspec.json.decode(msgspec.json.encode(public))
    return {name: told[name] for name in _needed(told, [event.__name__ for event in events])}


def _needed(schemas: Document, names: Iterable[str]) -> Iterable[str]:
    """These and what they refer to, in the order in which they are there. What only private fields are made of is not
    told."""
    needed, looked_at = set(names), set[str]()
    while open_ := needed - looked_at:
        looked_at |= open_
        referred = _REFERENCE.findall(msgspec.json.encode([schemas[name] for name in open_]).decode())
        needed |= set(referred)
    return [name for name in schemas if name in needed]


def _public(schema: Document, event: type[Event]) -> Document:
    return {
        **schema,
        "properties": {name: shape for name, shape in schema["properties"].items() if name not in event.withheld},
        "required": [name for name in schema["required"] if name not in event.withheld],
    }


# A writer for YAML is a runtime dependency; this much of it is not: blocks of plain keys, scalars as in JSON.

_is_plain_key = re.compile(r"[$A-Za-z_][\w.$-]*").fullmatch


def _yaml(value: Any, indent: str = "") -> Iterator[str]:
    entries = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for key, item in entries:
        name = "-" if key is None else f"{key if _is_plain_key(key) else json.dumps(key)}:"
        if isinstance(item, dict | list) and item:
            yield f"{indent}{name}"
            yield from _yaml(item, indent + "  ")
        else:
            yield f"{indent}{name} {json.dumps(item, ensure_ascii=False)}"
