"""How long to wait before trying again what may come back at any moment."""

import random
from collections.abc import Iterator


def delays(first: float = 0.1, longest: float = 5.0) -> Iterator[float]:
    """Seconds before each further attempt, for ever: doubling up to `longest`, each shortened by chance down to a
    half, so that many clients of one server do not come back in step."""
    delay = first
    while True:
        yield delay * random.uniform(0.5, 1.0)
        delay = min(delay * 2, longest)
