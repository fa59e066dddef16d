"""What operations are made of: parameters, bodies, answers. Every error that a route can give is among its answers."""

from collections.abc import Mapping, Sequence
from typing import Any

Piece = dict[str, Any]
Paths = Mapping[str, Mapping[str, Piece]]

JSON_BODY = "application/json"
JSON = "application/json; charset=utf-8"

POSITION: Piece = {
    "description": "The position in the event log that was written, or that the answer was read at.",
    "schema": {"type": "integer", "minimum": 0},
}
STALE: Piece = {
    "description": "`true` when the answer may lack the newest writes, because their read model is behind.",
    "schema": {"const": "true"},
}
REQUEST_ID: Piece = {"description": "Names the request in the logs.", "schema": {"type": "string"}, "required": True}


def ref(schema: str) -> Piece:
    return {"$ref": f"#/components/schemas/{schema}"}


def array(of: Piece) -> Piece:
    return {"type": "array", "items": of}


def nullable(schema: Piece) -> Piece:
    """Null is the same as absent."""
    return {"anyOf": [schema, {"type": "null"}]}


def exactly(always: Mapping[str, Piece], sometimes: Mapping[str, Piece] | None = None) -> Piece:
    """An object of an answer: these keys and no others."""
    return {
        "type": "object",
        "properties": {**always, **(sometimes or {})},
        "required": list(always),
        "additionalProperties": False,
    }


def body(
    required: Mapping[str, Piece], optional: Mapping[str, Piece] | None = None, example: Piece | None = None
) -> Piece:
    """An object of a request. Unknown keys are ignored."""
    shown: Piece = {
        "type": "object",
        "properties": {**required, **{n: nullable(s) for n, s in (optional or {}).items()}},
    }
    if required:
        shown["required"] = list(required)
    if example:
        shown["examples"] = [example]
    return shown


def json(schema: Piece, description: str = "", headers: Mapping[str, Piece] | None = None) -> Piece:
    """An answer."""
    return {
        "description": description or "As asked.",
        "headers": {"X-Request-Id": REQUEST_ID, **(headers or {})},
        "content": {JSON: {"schema": schema}},
    }


def read(schema: Piece, description: str = "") -> Piece:
    """An answer made from a read model."""
    return json(schema, description, {"Tidemark-Position": {**POSITION, "required": True}, "Tidemark-Stale": STALE})


def written(schema: Piece, description: str) -> Piece:
    """An answer that is given once everything is on disk."""
    return json(schema, description, {"Tidemark-Position": {**POSITION, "required": True}})


def done(text: str) -> Piece:
    return written(exactly({"message": {"const": text}}), "Done, or nothing was to be done.")


def path_id(what: str) -> Piece:
    """The id in a path; canonical, in any capitals, of any version."""
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": f"The {what}'s id.",
        "schema": {"type": "string", "format": "uuid"},
    }


def query(name: str, schema: Piece, description: str) -> Piece:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def operation(
    name: str,
    summary: str,
    *,
    tag: str,
    answers: Mapping[str, Piece],
    refusals: str = "",
    token: bool = True,
    takes: Piece | None = None,
    takes_optionally: bool = False,
    media: Mapping[str, Piece] | None = None,
    parameters: Sequence[Piece] = (),
    description: str = "",
) -> Piece:
    """`refusals` are the statuses of errors beyond those that every such operation has."""
    statuses = {*refusals.split(), "500", "503"}
    if token:
        statuses.add("401")
    if takes or media:
        statuses |= {"400", "413"}
    made: Piece = {
        "operationId": name,
        "summary": summary,
        "tags": [tag],
        "security": [{"bearer": []}] if token else [],
        "responses": {
            **answers,
            **{status: {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses - set(answers))},
        },
    }
    if description:
        made["description"] = description
    if parameters:
        made["parameters"] = list(parameters)
    if takes or media:
        made["requestBody"] = {
            "required": not takes_optionally,
            "content": dict(media) if media else {JSON_BODY: {"schema": takes}},
        }
    return made


AS_OF_PARAMETER = query(
    "as_of",
    {"type": "string", "minLength": 1},
    "A position of the log, or a time (RFC 3339): the answer is what it was then. A moment before the first event, or "
    "in the future, is refused.",
)
AS_OF_HEADER: Piece = {
    "description": "Which position of the log was read, where `as_of` was given.",
    "schema": {"type": "integer", "minimum": 1},
}
