"""Analytics as an OpenAPI 3.1 document: GET /analytics/openapi.json."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from adapters.analytics.ready_made import ANALYSES, BELOW, LEAST, Kind
from entrypoints.analytics.exchange import TYPES
from entrypoints.openapi import ID, TEXT, TIME, Json, answer, body, contract_document, json, parameter, refusals

_NUMBER: Json = {"type": "number", "minimum": LEAST, "exclusiveMaximum": BELOW}
_SCHEMAS: dict[Kind, Json] = {
    "time": TIME,
    "id": ID,
    "text": TEXT,
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


def _rows() -> Json:
    others: Json = {type.decode().partition(";")[0]: {} for form, type in TYPES.items() if form != "json"}
    return {"description": "The rows.", "headers": _HEADERS, "content": {**json({}), **others}}


def _operation(summary: str, told: Json, refused: Sequence[str], **more: Any) -> Json:
    responses = {"200": told, **refusals(_REFUSALS, refused, "Problem")}
    return {"summary": summary, "responses": responses, **more}


def _analyses() -> Json:
    format: Json = {"name": "format", "in": "query", "schema": _FORMAT}
    return {
        f"/{name}": {
            "get": _operation(
                f"Ready-made: {analysis.about}.",
                _rows(),
                _QUESTION,
                parameters=[
                    *(parameter(one, _SCHEMAS[told.kind], told.about) for one, told in analysis.parameters.items()),
                    format,
                ],
            )
        }
        for name, analysis in ANALYSES.items()
    }


@cache
def document() -> Json:
    times = {"since": TIME, "until": TIME}
    rule: Json = {
        "properties": {
            "python": {**TEXT, "description": "A program with `evolve(state, event)`."},
            "thresholds": {"type": "object"},
            "context": {**TEXT, "description": "Only events of this context."},
            **times,
            "beside": {"type": "array", "items": TEXT, "description": "Which events are told of as what did happen."},
        }
    }
    asked: Json = {"required": ["sql"], "properties": {"sql": TEXT, "format": {"type": ["string", "null"]}}}
    return contract_document(
        "Tidemark: analytics",
        "SQL over the log and its telemetry, ready-made analyses, and what a rule would have done.",
        "/analytics",
        {
            "/": {
                "get": _operation(
                    "The ready-made analyses with their SQL, and the tables.",
                    answer("As asked.", {"type": "object"}),
                    ("401", "403", "503"),
                )
            },
            "/query": {
                "post": _operation(
                    "One SELECT of DuckDB over the export and what came since.",
                    _rows(),
                    (*_QUESTION, "413"),
                    requestBody=body(asked),
                )
            },
            "/replay": {
                "post": _operation(
                    "History through a rule, beside what did happen. Nothing is recorded.",
                    answer("What came of it.", {"type": "object"}),
                    (*_QUESTION, "413"),
                    requestBody=body(rule),
                )
            },
            **_analyses(),
        },
        {
            "Problem": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": TEXT, "message": TEXT},
            }
        },
    )
