"""The objects of this contract, with exactly the documented keys, and its errors."""

from collections.abc import Mapping, Sequence

from entrypoints.lambda_iot.openapi.pieces import JSON, REQUEST_ID, Piece, exactly, nullable

UUID: Piece = {"type": "string", "format": "uuid"}
TIME: Piece = {"type": "string", "format": "date-time", "description": "RFC 3339; answers are in UTC with `Z`."}
NUMBER: Piece = {"type": "number", "description": "A finite number."}
READING_ID: Piece = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
DATA_TYPE: Piece = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
# Whole numbers are written as such: neither 1.0 nor "1", which JSON Schema cannot say of 1.0.
STATUS: Piece = {"type": "integer", "minimum": 1, "maximum": 4, "description": "1 active, 2 warning, 3 error, 4 off."}

# Texts never hold a NUL.
TEXT: Piece = {"type": "string", "minLength": 1, "maxLength": 1000}
ANY_TEXT: Piece = {"type": "string"}

PART = exactly(
    {
        "id": UUID,
        "device_id": UUID,
        "name": ANY_TEXT,
        "type": ANY_TEXT,
        "data_type_id": DATA_TYPE,
        "created_at": TIME,
        "updated_at": TIME,
    }
)

SCHEMAS: Mapping[str, Piece] = {
    "Error": exactly({"error": {"type": "string", "minLength": 1}}),
    "Device": exactly(
        {
            "id": UUID,
            "name": ANY_TEXT,
            "description": ANY_TEXT,
            "location": ANY_TEXT,
            "status_id": STATUS,
            "created_at": TIME,
            "updated_at": TIME,
        }
    ),
    "Sensor": PART,
    "Actor": PART,
    "Reading": exactly({"id": READING_ID, "sensor_id": UUID, "value": NUMBER, "value_at": TIME}),
    "ReadingSums": exactly(
        {"sensor_id": UUID, "bucket": {**TIME, "description": "When the stretch begins."}},
        {"avg": NUMBER, "min": NUMBER, "max": NUMBER, "count": {"type": "integer", "minimum": 1}},
    ),
    "ReadingVersion": exactly(
        {
            "value": NUMBER,
            "value_at": TIME,
            "at": TIME,
            "actor": {**ANY_TEXT, "description": "Who: `user:<id>`, `device:<id>` or `system:<part>`."},
            "what": ANY_TEXT,
        }
    ),
    "Message": exactly(
        {"id": {"type": "integer", "minimum": 1}, "payload": ANY_TEXT, "timestamp": TIME},
        {"topic": {**ANY_TEXT, "description": "With `include=topic`."}},
    ),
    "DeviceCommand": exactly(
        {
            "id": UUID,
            "kind": {"enum": ["trigger", "write", "command", "query"]},
            "part_id": nullable(UUID),
            "action": ANY_TEXT,
            "requested_at": TIME,
            "actor": {**ANY_TEXT, "description": "Who: `user:<id>`, `device:<id>` or `system:<part>`."},
            "state": {"enum": ["issued", "published", "failed", "answered", "timed_out"]},
            "answered_at": nullable(TIME),
        },
        {
            "value": {"description": "What the actor was to take, any JSON."},
            "error": {**ANY_TEXT, "description": "Why it was not sent, or why there is no answer."},
            "answer": exactly(
                {"status": {"enum": ["ok", "error"]}}, {"value": {"description": "Any JSON."}, "error": ANY_TEXT}
            ),
        },
    ),
    "Published": exactly({"status": {"const": "published"}, "topic": ANY_TEXT}),
    "CreatedId": exactly({"id": UUID}),
}

_RETRY_AFTER: Mapping[str, Piece] = {
    "Retry-After": {
        "description": "Seconds after which it may be tried again.",
        "schema": {"type": "integer", "minimum": 1},
        "required": True,
    }
}


def _error(description: str, texts: Sequence[str] = (), headers: Mapping[str, Piece] | None = None) -> Piece:
    text: Piece = {"enum": list(texts)} if texts else {"type": "string", "minLength": 1}
    return {
        "description": description,
        "headers": {"X-Request-Id": REQUEST_ID, **(headers or {})},
        "content": {JSON: {"schema": exactly({"error": text})}},
    }


RESPONSES: Mapping[str, Piece] = {
    "400": _error("The request breaks a rule; `error` says which field or what is wrong with it."),
    "401": _error(
        "`no claims`: there is no bearer token. `invalid credentials`: it, or the password, is not valid.",
        ("no claims", "invalid credentials"),
        {"WWW-Authenticate": {"schema": {"const": "Bearer"}, "required": True}},
    ),
    "403": _error("The token does not permit it, or nobody may.", ("forbidden", "registration is closed")),
    "404": _error("What the path names is not there.", ("resource not found",)),
    "409": _error("Something of that name exists.", ("resource already exists",)),
    "413": _error("The body is larger than is taken.", ("request body too large",)),
    "429": _error("Too many logins failed in a minute.", ("too many requests",), _RETRY_AFTER),
    "500": _error(
        "A defect of ours, or the broker did not take a message for a device.",
        ("internal server error", "failed to publish to MQTT"),
    ),
    "503": _error("Storage is away or hangs, or too much waits for it; `error` says what is stored.", (), _RETRY_AFTER),
}
