"""Ids, times and numbers as they come over a wire, taken strictly (contract devices 1.3 and 1.6).

The parsers of the standard library and of msgspec accept more than the contracts do, so the form is checked first.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from uuid import UUID

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@lru_cache(maxsize=65_536)  # a fleet names the same sensors again and again
def parse_uuid(text: str) -> UUID | None:
    """The id written in its canonical 36 characters, of any version and in any case; None for any other form."""
    return UUID(text) if _UUID.fullmatch(text) else None


def parse_rfc3339(text: str) -> datetime | None:
    """The instant in UTC; None without a zone, with a blank for the T, a leap second, or a date alone.

    A fraction finer than microseconds is cut.
    """
    parts = _RFC3339.fullmatch(text)
    if parts is None:
        return None
    day, clock, fraction, zone = parts.groups("")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{fraction[:7]}{zone.upper()}")
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # no such day, hour or offset; or the year 0 in UTC
        return None


def is_finite_number(value: object) -> bool:
    """Whether it is a JSON number that a double can hold. A boolean is none, whatever Python says."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return isfinite(value)
    except OverflowError:
        return False
