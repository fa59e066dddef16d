"""Who is still there. A consumer that is not heard of for too long is expired, by whichever process notices.

When it was last heard of stands in the database, by its clock, so that it may talk to any process. What a process hears
it writes down a few times in the time that there is, many at once.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

from application.executor import CommandConflictError, CommandExecutor, Overloaded
from application.ports import LogUnavailableError
from application.streams.consumer import ExpireConsumer
from domain.event import Origin

logger = logging.getLogger("tidemark.streams")

_WRITES = 20
_SHORTEST, _LONGEST = 0.05, 2.0


class SessionStore(Protocol):
    """Every call may raise LogUnavailableError."""

    async def touch(self, consumer_ids: Collection[str]) -> None:
        """They are heard of now."""

    async def silent(self, seconds: float) -> Sequence[str]:
        """Who was not heard of for so long."""

    async def forget(self, consumer_ids: Collection[str], seconds: float) -> None:
        """They are no longer waited for, unless they were heard of again within the last so many seconds."""


class Sessions:
    """`timeout` is for how many seconds a consumer may be silent."""

    def __init__(self, executor: CommandExecutor, store: SessionStore, timeout: float) -> None:
        self._executor = executor
        self._store = store
        self._timeout = timeout
        self._heard: set[str] = set()
        self._present: Counter[str] = Counter()

    async def begin(self, consumer_id: str) -> None:
        """Has to be on record before the consumer is: one that nobody waits for would never expire."""
        await self._store.touch([consumer_id])

    def hear(self, consumer_id: str) -> None:
        self._heard.add(consumer_id)

    @contextmanager
    def present(self, consumer_id: str) -> Iterator[None]:
        """It is there for all this time, waiting for an answer."""
        self._present[consumer_id] += 1
        try:
            yield
        finally:
            self._present[consumer_id] -= 1
            if not self._present[consumer_id]:
                del self._present[consumer_id]
            self._heard.add(consumer_id)

    async def run(self) -> None:
        """Until cancelled. Expires nobody before this process could have been spoken to for as long as it takes: after
        a start, or an outage of the database, consumers have to come back first."""
        pause = min(max(self._timeout / _WRITES, _SHORTEST), _LONGEST)
        since = monotonic()
        while True:
            before = monotonic()
            await asyncio.sleep(pause)
            try:
                await self._write()
                if monotonic() - before > pause + self._timeout / 4:
                    since = monotonic()  # it took so long that nobody can have been heard
                elif monotonic() - since > self._timeout:
                    await self._expire()
            except (LogUnavailableError, CommandConflictError, Overloaded):
                since = monotonic()

    async def _write(self) -> None:
        heard, self._heard = self._heard, set()
        try:
            if there := heard | self._present.keys():
                await self._store.touch(there)
        except LogUnavailableError:
            self._heard |= heard
            raise

    async def _expire(self) -> None:
        silent = await self._store.silent(self._timeout)
        for consumer_id in silent:
            origin = Origin(actor="system:streams", source="system", correlation_id=f"expiry of {consumer_id}"[:100])
            receipt = await self._executor.execute(ExpireConsumer(consumer_id=consumer_id), origin)
            if receipt.events:
                logger.info("the consumer %r was not heard of for %g s: expired", consumer_id, self._timeout)
        if silent:
            await self._store.forget(silent, self._timeout)
