"""Log lines about messages that came to nothing: one for each cause in a while, with the number of those left out."""

from collections.abc import Callable
from typing import Final

import structlog

EVERY_SECONDS: Final = 10.0
CAUSES: Final = 200

_log = structlog.get_logger("tidemark.mqtt")


class Complaints:
    """Logs topic and length, never the body: it is a stranger's. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[str, tuple[float, int]] = {}

    def about(self, kind: str, topic: str, length: int, reason: str) -> None:
        cause = f"{kind}: {reason}"
        now = self._clock()
        logged, left_out = self._last.get(cause, (float("-inf"), 0))
        if now - logged < EVERY_SECONDS:
            self._last[cause] = (logged, left_out + 1)
            return
        if cause not in self._last and len(self._last) >= CAUSES:
            self._last.clear()
        self._last[cause] = (now, 0)
        _log.warning("MQTT message " + kind, topic=topic, bytes=length, reason=reason, like_it_since=left_out)
