"""What the OpenAPI 3.1 documents of contracts have in common."""

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
ID: Json = {"type": "string", "format": "uuid"}
TIME: Json = {"type": "string", "format": "date-time"}

BEARER: Json = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def contract_document(title: str, about: str, url: str, paths: Json, schemas: Json) -> Json:
    """Of a contract below `url` that asks for a token on every path."""
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1", "description": about},
        "servers": [{"url": url}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {"securitySchemes": {"bearer": BEARER}, "schemas": schemas},
    }


def ref(schema: str) -> Json:
    return {"$ref": f"#/components/schemas/{schema}"}


def parameter(name: str, schema: Json, about: str) -> Json:
    """After the `?`."""
    return {"name": name, "in": "query", "schema": schema, "description": about}


def named(name: str, schema: Json, about: str) -> Json:
    """In the path."""
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": about}


def json(schema: Json) -> Json:
    """The content of a body."""
    return {"application/json": {"schema": schema}}


def body(schema: Json) -> Json:
    """Of a request: a JSON object with these fields and no others."""
    return {"required": True, "content": json({"additionalProperties": False, "type": "object", **schema})}


def answer(about: str, schema: Json, **others: Json) -> Json:
    """In JSON; `others` is what it may come as too, by media type."""
    return {"description": about, "content": {**json(schema), **others}}


def refusals(about: Mapping[str, str], statuses: Iterable[str], schema: str) -> Json:
    """What each status means, in a body of that schema."""
    return {status: answer(about[status], ref(schema)) for status in statuses}
