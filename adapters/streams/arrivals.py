"""Waking those who wait for messages: one look at the log for all of them, whenever it has grown."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from adapters.eventstore.reader import PostgresLogReader
from application.ports import LogUnavailableError

# Beyond so many new events, waking everybody is cheaper than naming what came.
NAMED = 5_000
# Under load a moment's wait makes one look of many.
PAUSE_SECONDS = 0.001


class LogArrivals:
    """Fills Arrivals. `run()` in a task, for as long as anybody watches."""

    def __init__(self, reader: PostgresLogReader) -> None:
        self._reader = reader
        self._of_stream: defaultdict[UUID, set[_Watch]] = defaultdict(set)
        self._of_everything: set[_Watch] = set()
        self._watches = 0
        self._seen: int | None = None

    @contextmanager
    def watching(self, streams: Collection[UUID], *, everything: bool = False) -> Iterator["_Watch"]:
        watch = _Watch()
        self._watches += 1
        for stream in streams:
            self._of_stream[stream].add(watch)
        if everything:
            self._of_everything.add(watch)
        try:
            yield watch
        finally:
            self._watches -= 1
            self._of_everything.discard(watch)
            for stream in streams:
                self._of_stream[stream].discard(watch)
                if not self._of_stream[stream]:
                    del self._of_stream[stream]

    async def run(self) -> None:
        while True:
            await self._reader.wait(1.0)
            if not self._watches:
                self._seen = None  # nobody asks; who comes later looks himself before he waits
                continue
            try:
                await self._look()
            except LogUnavailableError:
                self._wake_all()
                await asyncio.sleep(0.2)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _look(self) -> None:
        if self._seen is None:
            self._seen = await self._reader.head()
            self._wake_all()
            return
        came = await self._reader.streams_after(self._seen, NAMED)
        if not came:
            return
        self._seen = came[-1][0]
        if len(came) == NAMED:
            self._seen = None
            self._wake_all()
            return
        for watch in self._of_everything:
            watch.wake()
        for stream in {stream for _, stream in came} & self._of_stream.keys():
            for watch in self._of_stream[stream]:
                watch.wake()

    def _wake_all(self) -> None:
        for watches in (self._of_everything, *self._of_stream.values()):
            for watch in watches:
                watch.wake()


class _Watch:
    def __init__(self) -> None:
        self._arrived = asyncio.Event()

    def wake(self) -> None:
        self._arrived.set()

    async def arrived(self, timeout: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(timeout, 0.0)):
                await self._arrived.wait()
        arrived = self._arrived.is_set()
        self._arrived.clear()
        return arrived
