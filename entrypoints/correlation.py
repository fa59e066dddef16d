"""Which conversation this is: one id from the first request or message to everything that it causes."""

import re
from contextvars import ContextVar
from itertools import count
from secrets import token_hex

_CURRENT: ContextVar[str] = ContextVar("correlation_id", default="")
_SAFE = re.compile(r"[A-Za-z0-9._:-]{1,64}")

# Unique is enough, and counting costs nothing, where a random id for each request took a twentieth of its time.
_PROCESS = token_hex(8)
_NUMBERS = count(1)


def correlation_id() -> str:
    """The id of the present conversation; begins one when there is none."""
    return _CURRENT.get() or begin()


def current() -> str:
    """The id, empty outside any conversation."""
    return _CURRENT.get()


def begin(given: str | None = None) -> str:
    """Begins a conversation in this task, under the given id if it is one that is safe to repeat."""
    id = given if given and _SAFE.fullmatch(given) else f"{_PROCESS}{next(_NUMBERS):016x}"
    _CURRENT.set(id)
    return id
