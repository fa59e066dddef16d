"""The live status: measured once a second for everybody who listens, and told as far as it changed (contract 2.5)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import msgspec

logger = logging.getLogger("tidemark.status")

TICK_SECONDS = 1.0
MOST_SUBSCRIBERS = 2_000

Metrics = Mapping[str, int | str]


class TooManySubscribersError(Exception):
    """As many listen as this process takes on."""


class Subscriber:
    """Keeps what its client has not been sent yet: of each metric the newest value only, so that it never grows."""

    def __init__(self) -> None:
        self._waiting: dict[str, bytes] = {}
        self._woken = asyncio.Event()

    def tell(self, changes: Mapping[str, bytes]) -> None:
        self._waiting.update(changes)
        self._woken.set()

    def wake(self) -> None:
        self._woken.set()

    async def changes(self, seconds: float) -> bytes:
        """The next events, nothing when somebody woke it for another reason or none came in so many seconds."""
        if not self._woken.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, seconds)):
                    await self._woken.wait()
        self._woken.clear()
        chunk = b"".join(self._waiting.values())
        self._waiting.clear()
        return chunk


class StatusTicker:
    """One for a process; it ticks only while somebody listens. Everything is encoded once for all subscribers.

    `measure` is given what it measured last, and gives the same metrics again."""

    def __init__(self, measure: Callable[[Metrics], Awaitable[Metrics]], stopping: asyncio.Event) -> None:
        self._measure = measure
        self._stopping = stopping
        self._subscribers: set[Subscriber] = set()
        self._ticking: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._subscribers)

    @contextmanager
    def subscribed(self) -> Iterator[Subscriber]:
        """Raises TooManySubscribersError."""
        if len(self._subscribers) >= MOST_SUBSCRIBERS:
            raise TooManySubscribersError
        subscriber = Subscriber()
        self._subscribers.add(subscriber)
        if self._ticking is None:
            self._ticking = asyncio.create_task(self._tick(), name="status ticker")
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)
            if not self._subscribers and self._ticking:
                self._ticking.cancel()
                self._ticking = None

    async def _tick(self) -> None:
        clock = asyncio.get_running_loop().time
        told = await self._look({})
        due = clock()
        while not self._stopping.is_set():
            due = max(due + TICK_SECONDS, clock())
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._stopping.wait()
            now = await self._look(told)
            changes = {
                metric: _event(metric, value)
                for metric, value in now.items()
                if metric == "uptime" or told.get(metric) != value
            }
            told = now
            for subscriber in self._subscribers:
                subscriber.tell(changes)

    async def _look(self, before: Metrics) -> Metrics:
        try:
            return await self._measure(before)
        except Exception:  # whatever it is concerns one tick; those who listen go on listening
            logger.exception("the status could not be measured")
            return before


def _event(metric: str, value: int | str) -> bytes:
    """The value is a text, numbers too."""
    return b"event: system_status\ndata: %s\n\n" % msgspec.json.encode({"metric": metric, "value": str(value)})
