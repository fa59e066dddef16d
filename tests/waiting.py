"""Waiting on conditions, never on a time that somebody guessed."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# The contract's "sees" is 2 s on an idle machine; a test machine is shared.
SEES = 10.0


def eventually(look: Callable[[], T], *, seconds: float = SEES, pause: float = 0.02) -> T:
    """Looks again and again until `look` returns something true without an AssertionError, and returns that.

    After `seconds` the last AssertionError is raised, or one that shows what was last seen.
    """
    deadline = time.monotonic() + seconds
    while True:
        complaint: AssertionError | None = None
        seen: T | None = None
        try:
            if seen := look():
                return seen
        except AssertionError as unmet:
            complaint = unmet
        if time.monotonic() > deadline:
            raise complaint or AssertionError(f"not within {seconds} s; last seen: {seen!r}")
        time.sleep(pause)
