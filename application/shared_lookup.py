"""One query for everybody who looks something up at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Wave(NamedTuple, Generic[K, V]):
    """Those who wait for the same query: what they look for, and what it finds."""

    keys: set[K]
    found: "asyncio.Future[Mapping[K, V]]"


class SharedLookup(Generic[K, V]):
    """Looks up by `fetch`, which is given all keys asked for since its last call and returns those that it found.

    Each sees what a query found that began after it asked, so that what was acknowledged before counts. One query is
    under way at a time; those who come meanwhile share the next. Under load that is a fraction of the queries.
    """

    def __init__(self, fetch: Callable[[Collection[K]], Awaitable[Mapping[K, V]]]) -> None:
        self.fetch = fetch
        self._next: _Wave[K, V] | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key: K) -> V | None:
        """Raises what `fetch` raises."""
        if self._next is None:
            self._next = _Wave(set(), asyncio.get_running_loop().create_future())
        wave = self._next
        wave.keys.add(key)
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_waves())
        # Shielded, because one who gives up must not take the answer away from the others.
        return (await asyncio.shield(wave.found)).get(key)

    async def _fetch_waves(self) -> None:
        while self._next is not None:
            wave, self._next = self._next, None
            try:
                wave.found.set_result(await self.fetch(wave.keys))
            except Exception as fault:  # noqa: BLE001  # must reach those who wait, whatever it is
                wave.found.set_exception(fault)
                wave.found.exception()  # whoever asked may be gone; that is no fault
        self._fetching = None
