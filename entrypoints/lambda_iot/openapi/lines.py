"""Many things in one request: a JSON array or NDJSON, with a result for each line in the same form."""

from entrypoints.lambda_iot.openapi.pieces import (
    JSON,
    JSON_BODY,
    POSITION,
    REQUEST_ID,
    Piece,
    array,
    exactly,
    operation,
    ref,
)

NDJSON = "application/x-ndjson"

_ONE_LINE: Piece = {
    "type": "object",
    "description": "A body that begins with a brace is NDJSON whatever is said of it.",
}


def lines_operation(name: str, summary: str, tag: str, line: Piece, result: Piece) -> Piece:
    """`line` is what one line holds, `result` what it gets when it is taken; otherwise it gets an error object."""
    of_line: Piece = {"anyOf": [result, ref("Error")]}
    return operation(
        name,
        summary,
        tag=tag,
        description="A line that is refused spoils no other: each gets its own result, in the order of the lines.",
        media={
            # What is wrong with a line is told in its result, so any line will do.
            JSON_BODY: {"schema": {"anyOf": [array({"description": "A line.", "anyOf": [line, {}]}), _ONE_LINE]}},
            NDJSON: {"schema": {"description": "Each line a JSON object like those of the array."}},
        },
        answers={
            "200": {
                "description": "A result for each line.",
                "headers": {"X-Request-Id": REQUEST_ID, "Tidemark-Position": {**POSITION, "required": True}},
                "content": {
                    JSON: {"schema": exactly({"results": array(of_line)})},
                    NDJSON: {"schema": {"type": "string", "description": "A result on each line."}},
                },
            }
        },
    )
