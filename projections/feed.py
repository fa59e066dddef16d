"""Where projections get events from: the log, or NATS while they keep up with it and the log whenever they do not.

NATS may have lost everything and be refilled, or be away; positions without gaps show at once when something is
missing, and then the log is asked, which never lacks anything.
"""

from collections.abc import Sequence

from application.ports import BehindError, LiveEvents, LogReader
from domain.event import Recorded


class Feed:
    """Events in position order, none missing, none twice. For one follower."""

    def __init__(self, log: LogReader, live: LiveEvents | None = None) -> None:
        self._log = log
        self._live = live
        self._catching_up = True

    async def after(self, position: int, limit: int, timeout: float) -> Sequence[Recorded]:
        """The events that follow `position`, at most `limit`; none when there were none within `timeout` seconds.

        Raises LogUnavailableError.
        """
        if not self._catching_up:
            if self._live is None:
                await self._log.wait(timeout)
            else:
                try:
                    if events := await self._live.fetch(position, limit, timeout):
                        return events
                except BehindError:
                    if not (events := await self._log.read(position, limit)):
                        await self._log.wait(timeout)
                    else:
                        return events
        # Also when NATS was silent: it may have stalled without a word.
        events = await self._log.read(position, limit)
        self._catching_up = len(events) == limit
        return events
