"""Analytics as an OpenAPI 3.1 document: GET /analytics/openapi.json."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from adapters.analytics.ready_made import ANALYSES, Kind
from entrypoints.analytics.exchange import TYPES

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e12}
_SCHEMAS: dict[Kind, Json] = {
    "time": {"type": "string", "format": "date-time"},
    "id": {"type": "string", "format": "uuid"},
    "text": _TEXT,
    "number": _NUMBER,
}
_FORMAT: Json = {"enum": list(TYPES), "description": "Wins over `Accept`; JSON unless either asks for another."}
_HEADERS: Json = {
    "Tidemark-Position": {"description": "Up to which position the log was read.", "schema": {"type": "integer"}},
    "Tidemark-Rows": {"description": "How many rows there are.", "schema": {"type": "integer"}},
}
_REFUSALS = {
    "400": "The question, a parameter or the rule is wrong; the message says how.",
    "401": "A token is needed.",
    "403": "The token has not the scope `analytics.read`.",
    "408": "It took too long.",
    "413": "The body is too large.",
    "422": "The answer would be too large.",
    "503": "It cannot be answered now.",
}
_QUESTION = ("400", "401", "403", "408", "422", "503")


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _rows() -> Json:
    others: Json = {type.decode().partition(";")[0]: {} for form, type in TYPES.items() if form != "json"}
    return {"description": "The rows.", "headers": _HEADERS, "content": {**_json({}), **others}}


def _operation(summary: str, answer: Json, refusals: Sequence[str], **more: Any) -> Json:
    refused = {
        status: {"description": _REFUSALS[status], "content": _json({"$ref": "#/components/schemas/Problem"})}
        for status in refusals
    }
    return {"summary": summary, "responses": {"200": answer, **refused}, **more}


def _body(schema: Json) -> Json:
    return {"required": True, "content": _json({"additionalProperties": False, "type": "object", **schema})}


def _analyses() -> Json:
    format: Json = {"name": "format", "in": "query", "schema": _FORMAT}
    return {
        f"/{name}": {
            "get": _operation(
                f"Ready-made: {analysis.about}.",
                _rows(),
                _QUESTION,
                parameters=[
                    *(
                        {"name": one, "in": "query", "schema": _SCHEMAS[told.kind], "description": told.about}
                        for one, told in analysis.parameters.items()
                    ),
                    format,
                ],
            )
        }
        for name, analysis in ANALYSES.items()
    }


@cache
def document() -> Json:
    times = {"since": _SCHEMAS["time"], "until": _SCHEMAS["time"]}
    rule: Json = {
        "properties": {
            "python": {**_TEXT, "description": "A program with `evolve(state, event)`."},
            "thresholds": {"type": "object"},
            "context": {**_TEXT, "description": "Only events of this context."},
            **times,
            "beside": {"type": "array", "items": _TEXT, "description": "Which events are told of as what did happen."},
        }
    }
    asked: Json = {"required": ["sql"], "properties": {"sql": _TEXT, "format": {"type": ["string", "null"]}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tidemark: analytics",
            "version": "1",
            "description": "SQL over the log and its telemetry, ready-made analyses, and what a rule would have done.",
        },
        "servers": [{"url": "/analytics"}],
        "security": [{"bearer": []}],
        "paths": {
            "/": {
                "get": _operation(
                    "The ready-made analyses with their SQL, and the tables.",
                    {"description": "As asked.", "content": _json({"type": "object"})},
                    ("401", "403", "503"),
                )
            },
            "/query": {
                "post": _operation(
                    "One SELECT of DuckDB over the export and what came since.",
                    _rows(),
                    (*_QUESTION, "413"),
                    requestBody=_body(asked),
                )
            },
            "/replay": {
                "post": _operation(
                    "History through a rule, beside what did happen. Nothing is recorded.",
                    {"description": "What came of it.", "content": _json({"type": "object"})},
                    (*_QUESTION, "413"),
                    requestBody=_body(rule),
                )
            },
            **_analyses(),
        },
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": {
                "Problem": {
                    "type": "object",
                    "required": ["code", "message"],
                    "properties": {"code": _TEXT, "message": _TEXT},
                }
            },
        },
    }
