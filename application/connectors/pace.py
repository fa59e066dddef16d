"""How long the runtime of connectors waits, and for what (contract connectors, part 5)."""

import random
from collections.abc import Iterator
from typing import NamedTuple


class Pace(NamedTuple):
    """In seconds. What changed is looked for every `look` while read models move, and every `idle` while they do not.
    `retry_first` doubles up to `retry_most`; after `max_failures` in a row a client is in ERROR, and is
    tried again after `retry_most`. A client that its service has not taken is asked for again after `service_within`;
    its user has `user_within`. Whoever gets the lease waits for `handover`, in which who had it before learns that. A
    connection has `start_within` to reach the other side."""

    handover: float = 1.0
    look: float = 0.1
    idle: float = 5.0
    retry_first: float = 1.0
    retry_most: float = 60.0
    max_failures: int = 5
    start_within: float = 10.0
    service_within: float = 30.0
    user_within: float = 600.0

    def retries(self) -> Iterator[float]:
        """How long to wait after each failure in a row, for ever."""
        delay = self.retry_first
        while True:
            yield jittered(delay)
            delay = min(delay * 2, self.retry_most)


def jittered(seconds: float) -> float:
    """Shortened by chance, down to three quarters, so that the clients of one server do not come back in step."""
    return seconds * random.uniform(0.75, 1.0)
