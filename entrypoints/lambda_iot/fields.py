"""Reading single values of what clients send, by the rules of contract 1.3: strict about types.

Whatever the header says, a body is JSON. Every fault raises BadRequestError with the text of the contract.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from application.parsing import is_finite_number, parse_rfc3339, parse_uuid
from entrypoints.lambda_iot.errors import BadRequestError

MAX_LIMIT = 1000
MAX_READING_ID = 2**63 - 1
LONGEST_TEXT = 1000

T = TypeVar("T")


def path_uuid(text: str, what: str) -> UUID:
    """The id in a path; `what` is `device`, `sensor` or `actor`."""
    id = parse_uuid(text)
    if id is None:
        raise BadRequestError(f"invalid {what} ID")
    return id


def path_reading_id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and 1 <= int(text) <= MAX_READING_ID):
        raise BadRequestError("invalid reading ID")
    return int(text)


def query_uuid(query: Mapping[str, str], name: str, what: str) -> UUID | None:
    text = query.get(name)
    return None if text is None else path_uuid(text, what)


def query_limit(query: Mapping[str, str], absent: int = 100) -> int:
    """1 to 1000 as given, more is cut to 1000."""
    limit = whole_number(query, "limit", absent)
    if limit < 1:
        raise BadRequestError("invalid limit")
    return min(limit, MAX_LIMIT)


def query_page(query: Mapping[str, str]) -> int:
    return whole_number(query, "page", 0)


def whole_number(query: Mapping[str, str], name: str, absent: int) -> int:
    text = query.get(name)
    if text is None:
        return absent
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise BadRequestError(f"invalid {name}")
    return int(text)


def json_object(body: bytes | msgspec.Raw) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequestError("invalid request body") from None
    if not isinstance(fields, dict):
        raise BadRequestError("invalid request body")
    return fields


def text(fields: Mapping[str, Any], name: str, shortest: int = 1, longest: int | None = None) -> str:
    text = fields.get(name)
    if text is None or text == "":
        raise BadRequestError(f"{name} is required")
    # A NUL is no character that texts are made of, and PostgreSQL cannot hold it.
    if not isinstance(text, str) or "\0" in text or len(text) < shortest or (longest and len(text) > longest):
        raise BadRequestError(f"invalid {name}")
    return text


def optional_text(fields: Mapping[str, Any], name: str) -> str | None:
    return None if fields.get(name) in (None, "") else text(fields, name)


def short_text(fields: Mapping[str, Any], name: str) -> str:
    return text(fields, name, longest=LONGEST_TEXT)


def integer(fields: Mapping[str, Any], name: str, least: int, most: int) -> int:
    """A whole number written as one: neither `1.0` nor `"1"` nor `true`."""
    integer = fields.get(name)
    if integer is None:
        raise BadRequestError(f"{name} is required")
    if type(integer) is not int or not least <= integer <= most:
        raise BadRequestError(f"invalid {name}")
    return integer


def reference(fields: Mapping[str, Any], name: str) -> UUID:
    """The id of something else."""
    id = parse_uuid(text(fields, name))
    if id is None:
        raise BadRequestError(f"invalid {name}")
    return id


def optional(fields: Mapping[str, Any], name: str, read: Callable[[Mapping[str, Any], str], T]) -> T | None:
    """What `read` makes of the field; None when it is absent or null, which is the same (1.3)."""
    return None if fields.get(name) is None else read(fields, name)


def number(fields: Mapping[str, Any], name: str) -> float:
    number = fields.get(name)
    if number is None:
        raise BadRequestError(f"{name} is required")
    if not is_finite_number(number):
        raise BadRequestError(f"invalid {name}")
    return float(number)


def optional_time(fields: Mapping[str, Any], name: str) -> datetime | None:
    text = fields.get(name)
    if text is None:
        return None
    time = parse_rfc3339(text) if isinstance(text, str) else None
    if time is None:
        raise BadRequestError(f"invalid {name}")
    return time
