"""What is produced, as it came: one JSON value, or one in each line (contract streams 3.1). Whether it is JSON is all
that is looked at; the bytes stay as they are."""

from typing import NamedTuple

import msgspec

NDJSON = "application/x-ndjson"

# Whatever is JSON passes, and nothing is made of it.
_JSON = msgspec.json.Decoder(msgspec.Raw)


class Messages(NamedTuple):
    """`values` is a JSON array of `size` messages."""

    size: int
    values: msgspec.Raw


class UnreadableError(Exception):
    """It is no JSON."""


def messages_in(body: bytes, content_type: str | None) -> Messages:
    """Raises UnreadableError; nothing of the body is to be stored then."""
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        raise UnreadableError(f"The body is not UTF-8: byte {wrong.start}") from None
    if (content_type or "").partition(";")[0].strip().lower() == NDJSON:
        return _lines(body)
    try:
        _JSON.decode(body)
    except (msgspec.MsgspecError, RecursionError) as wrong:
        raise UnreadableError(f"The body is not JSON: {wrong}") from None
    return Messages(1, msgspec.Raw(b"[" + body + b"]"))


def _lines(body: bytes) -> Messages:
    """Every line that is not empty is a value: as many values as lines means that none has two and none is divided."""
    lines = [line for line in body.split(b"\n") if line]
    if b"\r" in body:
        lines = [bare for line in lines if (bare := line.removesuffix(b"\r"))]
    if not lines:
        raise UnreadableError("There is no line with a value")
    try:
        values = len(_JSON.decode_lines(body))
    except (msgspec.MsgspecError, RecursionError) as wrong:
        raise UnreadableError(f"Line {_first_wrong(lines)} is not JSON: {wrong}") from None
    if values != len(lines):
        raise UnreadableError(f"Line {_first_wrong(lines)} is not JSON")
    return Messages(values, msgspec.Raw(b"[" + b",".join(lines) + b"]"))


def _first_wrong(lines: list[bytes]) -> int:
    """Its number among those that are not empty, from 1."""
    for number, line in enumerate(lines, 1):
        try:
            _JSON.decode(line)
        except (msgspec.MsgspecError, RecursionError):
            return number
    return len(lines)
