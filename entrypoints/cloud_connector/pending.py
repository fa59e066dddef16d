"""The questions whose answers somebody waits for in this process. When it is asked to end, they have some seconds."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any


class HurriedError(Exception):
    """There is no time left to wait for the device, because this process is about to end."""


class Pending:
    """Use `running()` around its life. `seconds` after the process was asked to end whoever still waits is told so,
    while there is time left to tell it."""

    def __init__(self, stopping: asyncio.Event, seconds: float) -> None:
        self._stopping = stopping
        self._seconds = seconds
        self._waiting: set[asyncio.Task[Any]] = set()
        self._hurried: set[asyncio.Task[Any]] = set()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around whatever may be cut short. Raises HurriedError then."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if task in self._hurried and task.uncancel() == 0:
                raise HurriedError from None
            raise
        finally:
            self._waiting.discard(task)
            self._hurried.discard(task)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Pending"]:
        hurrying = asyncio.create_task(self._hurry(), name="pending questions")
        try:
            yield self
        finally:
            hurrying.cancel()
            with suppress(asyncio.CancelledError):
                await hurrying

    async def _hurry(self) -> None:
        await self._stopping.wait()
        await asyncio.sleep(self._seconds)
        for task in self._waiting:
            self._hurried.add(task)
            task.cancel()
