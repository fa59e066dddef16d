"""What devices measured."""

from entrypoints.lambda_iot.openapi.lines import lines_operation
from entrypoints.lambda_iot.openapi.pieces import (
    POSITION,
    REQUEST_ID,
    STALE,
    Paths,
    Piece,
    array,
    body,
    done,
    exactly,
    operation,
    query,
    read,
    ref,
    written,
)
from entrypoints.lambda_iot.openapi.schemas import NUMBER, READING_ID, TIME, UUID

_ID: Piece = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The reading's id, in digits.",
    "schema": READING_ID,
}
_LIMIT: Piece = {"type": "integer", "minimum": 1, "maximum": 10**15 - 1, "default": 100}
_PAGE: Piece = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1, "default": 0}
_BUCKET: Piece = {"type": "string", "pattern": "^[1-9][0-9]{0,8}[smhd]$", "examples": ["5m"]}
_CURSOR: Piece = {"type": "string", "pattern": "^[A-Za-z0-9_-]{22}$"}

RECORD_READING: Piece = body(
    {"sensor_id": UUID, "value": NUMBER},
    {"value_at": {**TIME, "description": "RFC 3339 with a zone; without it the time of recording."}},
)

SENSOR_ID = query("sensor_id", UUID, "Only this sensor's.")
PAGING = (
    query("limit", _LIMIT, "At most so many; more than 1000 are 1000."),
    query("page", _PAGE, "Passes over so many pages of that size."),
)

_READ_BY_ID = operation(
    "getReading",
    "One reading",
    tag="Readings",
    parameters=[_ID],
    answers={"200": read(ref("Reading"))},
    refusals="400 404",
)
_CREATE = operation(
    "createReading",
    "Record a reading",
    tag="Readings",
    description="A sensor that is not in service is a 400, because the path is.",
    takes=RECORD_READING,
    answers={"201": written(exactly({"id": READING_ID}), "It is recorded.")},
)

CORE: Paths = {
    "/sensor-readings": {"post": _CREATE},
    "/sensor-readings/{id}": {"get": _READ_BY_ID},
}

_LIST = read({"anyOf": [array(ref("Reading")), array(ref("ReadingSums"))]}, "Readings, or sums if `bucket` was given.")

MORE: Paths = {
    "/sensor-readings": {
        "get": operation(
            "listReadings",
            "Readings, the newest first",
            tag="Readings",
            description="A page, the newest of each sensor (`latest`), or sums over stretches of time (`bucket`, which "
            "needs `sensor_id`). What makes no sense together is refused. With `Accept: text/csv` the same as CSV.",
            parameters=[
                SENSOR_ID,
                *PAGING,
                query("from", TIME, "Not before this time."),
                query("to", TIME, "Before this time."),
                query("order", {"enum": ["asc", "desc"]}, "By time; `desc` unless `bucket` is given."),
                query("cursor", _CURSOR, "Where the page before ended: its header Tidemark-Next-Cursor."),
                query("latest", {"type": "boolean"}, "Of each sensor only the newest reading."),
                query("bucket", _BUCKET, "How long a stretch is; a century at the longest."),
                query(
                    "agg",
                    {"type": "string", "pattern": "^(avg|min|max|count)(,(avg|min|max|count))*$", "default": "avg"},
                    "What is told of each stretch, each once.",
                ),
            ],
            answers={
                "200": {
                    **_LIST,
                    "headers": {
                        "X-Request-Id": REQUEST_ID,
                        "Tidemark-Position": {**POSITION, "required": True},
                        "Tidemark-Stale": STALE,
                        "Tidemark-Next-Cursor": {
                            "description": "Where the next page begins, when there is one.",
                            "schema": _CURSOR,
                        },
                    },
                    "content": {**_LIST["content"], "text/csv; charset=utf-8": {"schema": {"type": "string"}}},
                }
            },
            refusals="400",
        ),
    },
    "/sensor-readings/batch": {
        "post": lines_operation(
            "createReadings", "Record many readings", "Readings", RECORD_READING, exactly({"id": READING_ID})
        )
    },
    "/sensor-readings/stream": {
        "get": operation(
            "streamReadings",
            "Readings as they come in",
            tag="Readings",
            description="Server-sent events named `reading`, whose ids are the readings'. A client that comes back "
            "with the last one misses nothing.",
            parameters=[
                SENSOR_ID,
                query("last_event_id", {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}, "Like the header."),
                {
                    "name": "Last-Event-ID",
                    "in": "header",
                    "description": "Goes on after this reading.",
                    "schema": {"type": "integer", "minimum": 0, "maximum": 2**63 - 1},
                },
            ],
            answers={
                "200": {
                    "description": "Never ends by itself.",
                    "headers": {"X-Request-Id": REQUEST_ID},
                    "content": {"text/event-stream": {"schema": {"type": "string"}}},
                }
            },
            refusals="400",
        )
    },
    "/sensor-readings/{id}": {
        "put": operation(
            "updateReading",
            "Correct a reading",
            tag="Readings",
            description="Any subset of the fields. What it was before stays in its history.",
            parameters=[_ID],
            takes=body({}, {"value": NUMBER, "value_at": TIME}, {"value": 21.5}),
            answers={"200": done("sensor reading updated")},
            refusals="404",
        ),
        "delete": operation(
            "deleteReading",
            "Remove a reading",
            tag="Readings",
            parameters=[_ID],
            answers={"200": done("sensor reading deleted")},
            refusals="400 404",
        ),
    },
    "/sensor-readings/{id}/history": {
        "get": operation(
            "getReadingHistory",
            "What a reading was, who changed it and when",
            tag="Readings",
            parameters=[_ID],
            answers={"200": read(array(ref("ReadingVersion")), "The oldest first, also of one that is gone.")},
            refusals="400 404",
        )
    },
}
