"""The document: all topics together."""

from collections.abc import Iterable
from typing import Any

from entrypoints.lambda_iot.openapi import accounts, commands, devices, parts, readings, system
from entrypoints.lambda_iot.openapi.pieces import AS_OF_HEADER, AS_OF_PARAMETER, Paths, Piece
from entrypoints.lambda_iot.openapi.schemas import RESPONSES, SCHEMAS
from entrypoints.openapi import BEARER

ABOUT = """\
Devices, sensors, actors, and what they measure. Bodies are JSON whatever their content type says; errors are one JSON
object with the one key `error`. Checks come in this order: token (401), id in the path (400), what it names (404),
body (400). A path that is not listed here is a 404, a method that a path does not have a 405 with `Allow`, a body of
more than 1 MiB (16 MiB for many lines at once) a 413. Every answer of a write carries `Tidemark-Position`, and every
read sees all writes before it."""


def document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lambda IoT Core", "version": "1.0.0", "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": merged(TOPICS),
        "components": {
            "schemas": dict(SCHEMAS),
            "responses": dict(RESPONSES),
            "securitySchemes": {"bearer": {**BEARER, "description": "A token of `POST /login`."}},
        },
    }


def merged(topics: Iterable[Paths]) -> dict[str, dict[str, Piece]]:
    """One entry for each path, with the methods that any of the topics gives it."""
    paths: dict[str, dict[str, Piece]] = {}
    for topic in topics:
        for path, methods in topic.items():
            paths.setdefault(path, {}).update(methods)
    for path in AS_OF:
        paths[path] = {**paths[path], "get": _of_any_moment(paths[path]["get"])}
    return paths


def _of_any_moment(read: Piece) -> Piece:
    """The same operation, which can be asked as of an earlier moment too."""
    answers = {**read["responses"], "400": {"$ref": "#/components/responses/400"}}
    found = answers["200"]
    answers["200"] = {**found, "headers": {**found["headers"], "Tidemark-As-Of": AS_OF_HEADER}}
    return {**read, "parameters": [*read.get("parameters", ()), AS_OF_PARAMETER], "responses": answers}


# What is kept as of every moment.
AS_OF = (
    *("/devices", "/devices/{id}", "/devices/{id}/commands", "/sensors", "/sensors/{id}", "/actors", "/actors/{id}"),
    *("/sensor-readings", "/sensor-readings/{id}", "/sensor-readings/{id}/history", "/messages"),
)


TOPICS: tuple[Paths, ...] = (
    system.PATHS,
    accounts.PATHS,
    devices.LISTED,
    devices.CHANGED,
    parts.LISTED,
    parts.CHANGED,
    readings.CORE,
    readings.MORE,
    commands.PATHS,
)
