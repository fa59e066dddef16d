"""That the server is there, and what it can do."""

from entrypoints.lambda_iot.openapi.pieces import Paths, exactly, json, operation

PATHS: Paths = {
    "/health": {
        "get": operation(
            "health",
            "Whether the server answers",
            tag="System",
            token=False,
            answers={"200": json(exactly({"status": {"const": "ok"}}))},
        )
    },
    "/hello": {
        "get": operation(
            "hello",
            "A greeting",
            tag="System",
            token=False,
            answers={"200": json(exactly({"message": {"const": "hello from lambdaiot"}}))},
        )
    },
    "/openapi.json": {
        "get": operation(
            "openapi", "This document", tag="System", token=False, answers={"200": json({"type": "object"})}
        )
    },
}
