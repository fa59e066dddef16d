"""The audit as an OpenAPI 3.1 document: GET /audit/openapi.json."""

from collections.abc import Sequence
from functools import cache

from entrypoints.audit.routes.events import CONTEXTS, LARGEST_PAGE, ORDERS, PAGE, SOURCES
from entrypoints.audit.routes.history import LARGEST_HISTORY
from entrypoints.openapi import ID, TEXT, TIME, Json, answer, contract_document, named, parameter, ref, refusals

_NAME: Json = {"type": "string", "minLength": 1}
_POSITION: Json = {"type": "integer", "minimum": 1, "maximum": 2**62}
_MAYBE_TEXT: Json = {"type": ["string", "null"]}


def _names(parts: int) -> Json:
    return {"type": "string", "pattern": "^" + r"\.".join(["[a-z_]+"] * parts) + "$"}


_FILTERS: Json = {
    "context": ({"enum": list(CONTEXTS)}, "The context of the event."),
    "aggregate": (
        _names(2),
        "The kind of aggregate, such as `devices.device`.",
    ),
    "id": (ID, "The aggregate."),
    "about": (ID, "The aggregate, or whatever the event names by its id in a field of its own."),
    "event": (
        _names(3),
        "The event, such as `devices.sensor.retired`.",
    ),
    "actor": (_NAME, "Who did it: `user:<id>`, `device:<id>`, `system:<part>` or `anonymous`."),
    "source": ({"enum": list(SOURCES)}, "Through what."),
    "correlation": (_NAME, "The conversation, as `X-Request-Id` says it."),
    "since": (TIME, "From this time on (RFC 3339)."),
    "until": (TIME, "Before this time."),
    "after": (_POSITION, "Behind this position."),
    "before": (_POSITION, "Before this position."),
}
_ORDER = ({"enum": list(ORDERS)}, "Which come first.")
_CURSOR = (_POSITION, "`next` of the page before.")


def _page(most: int) -> Sequence[Json]:
    return [
        parameter("order", *_ORDER),
        parameter("limit", {"type": "integer", "minimum": 1, "maximum": most, "default": PAGE}, "At most so many."),
        parameter("cursor", *_CURSOR),
    ]


_EVENT: Json = {
    "type": "object",
    "required": [
        *("position", "id", "at", "actor", "actor_name", "source", "correlation_id", "causation_id"),
        *("topic", "aggregate_id", "version", "data"),
    ],
    "properties": {
        "position": {"type": "integer", "description": "Its place in the log, without gaps from 1."},
        "id": ID,
        "at": TIME,
        "actor": TEXT,
        "actor_name": {**_MAYBE_TEXT, "description": "The username, where the actor is a user that there is."},
        "source": {"enum": list(SOURCES)},
        "correlation_id": TEXT,
        "causation_id": {
            **_MAYBE_TEXT,
            "description": "The message, request or event that caused it, if that is known.",
        },
        "topic": TEXT,
        "aggregate_id": ID,
        "version": {"type": "integer", "description": "Which of the aggregate's events it is."},
        "data": {"description": "Without private fields; null for an event of a newer program."},
    },
}
_CHANGE: Json = {
    "type": "object",
    "required": ["path"],
    "properties": {
        "path": {**TEXT, "description": "The field, with dots between."},
        "before": {},
        "after": {},
        "added": {"type": "array"},
        "removed": {"type": "array"},
        "private": {"type": "boolean", "description": "It is different, and nothing else is told."},
    },
}
_NODE: Json = {
    "type": "object",
    "required": ["caused"],
    "properties": {
        "event": ref("Event"),
        "published": {**TEXT, "description": "The subject on NATS."},
        "cause": {**TEXT, "description": "A message or a request."},
        "correlation": {**TEXT, "description": "Another conversation, which answered."},
        "caused": {"type": "array", "items": ref("Node")},
    },
}
_STATE: Json = {
    "type": "object",
    "required": ["context", "aggregate", "id", "as_of", "version", "position", "state"],
    "properties": {
        "context": {"enum": list(CONTEXTS)},
        "aggregate": TEXT,
        "id": ID,
        "as_of": {"type": "integer", "description": "Up to which position of the log was read."},
        "version": {"type": "integer", "description": "Of its last event by then."},
        "position": {"type": "integer", "description": "Of that event."},
        "state": {"type": ["object", "null"], "description": "Null where it was gone."},
    },
}
_AS_OF: Json = {"Tidemark-As-Of": {"description": "Which position was read.", "schema": {"type": "integer"}}}
_PROOF: Json = {
    "type": "object",
    "required": ["position", "leaf", "path", "checkpoint"],
    "properties": {
        "position": {"type": "integer"},
        "leaf": {**TEXT, "description": "The hash of the event, in hexadecimal."},
        "path": {"type": "array", "items": TEXT, "description": "From the leaf upwards (RFC 6962)."},
        "checkpoint": {"type": "object", "description": "With its signature (Ed25519)."},
    },
}


_REFUSALS = {
    "400": "A parameter cannot be what it is.",
    "401": "A token is needed.",
    "403": "The token has not the scope `audit.read`.",
    "404": "There is no such thing, or not yet.",
    "409": "The events are not those that were signed; `tidemark verify` says which.",
    "422": "There is no state of it; the error says why.",
    "503": "The database cannot be reached.",
}


def _operation(about: str, parameters: Sequence[Json], told: Json, *refused: str) -> Json:
    responses = {"200": told, **refusals(_REFUSALS, (*refused, "401", "403", "503"), "Error")}
    return {"get": {"summary": about, "parameters": list(parameters), "responses": responses}}


@cache
def document() -> Json:
    event: Json = ref("Event")
    events = {"type": "array", "items": event}
    step = {
        "allOf": [event],
        "required": ["changes"],
        "properties": {
            "changes": {
                "type": ["array", "null"],
                "items": _CHANGE,
                "description": "Null where nobody knows the state.",
            }
        },
    }
    page = {
        "type": "object",
        "required": ["events", "next"],
        "properties": {"events": events, "next": {**_MAYBE_TEXT, "description": "The `cursor` of the next page."}},
    }
    history = {
        "type": "object",
        "required": ["context", "aggregate", "id", "events", "next"],
        "properties": {
            "context": {"enum": list(CONTEXTS)},
            "aggregate": TEXT,
            "id": ID,
            "events": {"type": "array", "items": step},
            "next": _MAYBE_TEXT,
        },
    }
    trace = {
        "type": "object",
        "required": ["correlation", "began", "events", "cut", "tree"],
        "properties": {
            "correlation": TEXT,
            "began": {"type": "object"},
            "events": {"type": "integer"},
            "cut": {"type": "boolean", "description": "There is more than is shown."},
            "tree": {"type": "array", "items": ref("Node")},
        },
    }
    forms = {"enum": ["json", "ndjson", "csv", "sse"], "default": "json"}
    files = {name: {"schema": TEXT} for name in ("application/x-ndjson", "text/csv", "text/event-stream")}
    return contract_document(
        "Tidemark: audit",
        "Who did what, and what came of it.",
        "/audit",
        {
            "/events": _operation(
                "Search the log, or follow it (`text/event-stream`).",
                [
                    *(parameter(name, *what) for name, what in _FILTERS.items()),
                    *_page(LARGEST_PAGE),
                    parameter("format", forms, "Wins over `Accept`."),
                ],
                answer("A page.", page, **files),
                "400",
            ),
            "/events/{position}": _operation(
                "One event.", [named("position", _POSITION, "Its place.")], answer("The event.", event), "400", "404"
            ),
            "/{context}/{id}/history": _operation(
                "Everything that happened to one aggregate, and what each event made different.",
                [
                    named("context", {"enum": list(CONTEXTS)}, "The context."),
                    named("id", ID, "The aggregate."),
                    *_page(LARGEST_HISTORY),
                ],
                answer("A page, the oldest first unless asked otherwise.", history),
                "400",
                "404",
            ),
            "/{context}/{id}/state": _operation(
                "What an aggregate was at a moment, without private and personal fields.",
                [
                    named("context", {"enum": list(CONTEXTS)}, "The context."),
                    named("id", ID, "The aggregate."),
                    parameter("as_of", _NAME, "A position of the log, or a time (RFC 3339); without it now."),
                ],
                {**answer("The state.", _STATE), "headers": _AS_OF},
                "400",
                "404",
                "422",
            ),
            "/proof/{position}": _operation(
                "That an event is in the log: its leaf, the way to the root of a signed checkpoint, and that.",
                [named("position", _POSITION, "Its place.")],
                answer("The proof.", _PROOF),
                "400",
                "404",
                "409",
            ),
            "/trace/{correlation}": _operation(
                "Everything that came of one request or message.",
                [named("correlation", {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,100}$"}, "The conversation.")],
                answer("A tree.", trace),
                "400",
                "404",
            ),
        },
        {
            "Event": _EVENT,
            "Node": _NODE,
            "Error": {"type": "object", "required": ["error"], "properties": {"error": TEXT}},
        },
    )
