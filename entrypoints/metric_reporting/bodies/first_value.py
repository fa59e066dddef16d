"""The first JSON value of a body, read as loosely as the daemon reads it, and no looser (contract metrics 1.4.1).

Loose: what follows is ignored, the letters of keys may be large or small, of two fields of one name the last one counts
unless it is null, bytes and escapes that are no character become replacement characters. Strict: NaN and the like are
no JSON, nor is a number that no double holds. A zero keeps its sign.
"""

import json
import re
from math import isinf
from typing import Any

_BLANKS = re.compile(r"[ \t\n\r]*")
# As long may be what a double can hold, written out.
_LONGEST = 400


class NotJsonError(ValueError):
    """The body does not begin with a JSON value. The message says why."""


def first_value(body: bytes) -> Any:
    """Objects have their keys in small letters. Raises NotJsonError."""
    text = body.decode(errors="replace")
    begin = _BLANKS.match(text).end()  # type: ignore[union-attr]  # it always matches
    if begin == len(text):
        raise NotJsonError("EOF")
    try:
        value, _ = _DECODER.raw_decode(text, begin)
    except json.JSONDecodeError as wrong:
        raise NotJsonError(f"{wrong.msg} at character {wrong.pos + 1}") from None
    except RecursionError:
        raise NotJsonError("exceeded max depth") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in pairs:
        name = key.casefold()
        if value is not None or name not in fields:
            fields[name] = _whole(value) if isinstance(value, str) else value
    return fields


def _whole(text: str) -> str:
    """Without halves of surrogate pairs, which cannot be stored."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _float(literal: str) -> float:
    number = float(literal)
    if isinf(number):
        raise NotJsonError(f"{literal} is out of range")
    return number


def _int(literal: str) -> int | float:
    if literal == "-0":
        return -0.0
    if len(literal) > _LONGEST:
        raise NotJsonError("a number is out of range")
    number = int(literal)
    _float(literal)
    return number


def _constant(literal: str) -> Any:
    raise NotJsonError(f"{literal} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_constant)
