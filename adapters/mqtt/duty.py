"""When this process's gateway is the connected one, for those who work only then."""

import asyncio
from collections.abc import Awaitable, Callable


class Duty:
    """Begins with each connection to the broker and ends with it."""

    def __init__(self) -> None:
        self._on = asyncio.Event()
        self._off = asyncio.Event()
        self._off.set()

    def begin(self) -> None:
        self._on.set()
        self._off.clear()

    def end(self) -> None:
        self._on.clear()
        self._off.set()

    async def do(self, work: Callable[[], Awaitable[None]]) -> None:
        """Starts the work whenever it begins, and cancels it when it ends. For ever, or until the work fails."""
        while True:
            await self._on.wait()
            working = asyncio.ensure_future(work())
            off = asyncio.ensure_future(self._off.wait())
            try:
                await asyncio.wait((working, off), return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    working.result()
                    await off
            finally:
                off.cancel()
                working.cancel()
                await asyncio.gather(working, off, return_exceptions=True)
