"""What runs beside everything else of a process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager


@asynccontextmanager
async def running_beside(runs: Mapping[str, Callable[[], Awaitable[None]]]) -> AsyncIterator[None]:
    """Meanwhile they run."""
    tasks = [asyncio.ensure_future(run()) for run in runs.values()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
