"""Who looks things up at the same time shares a query, and sees one that began after he asked."""

import asyncio
from collections.abc import Collection

import pytest

from application.shared_lookup import SharedLookup


class Shelf:
    """Answers each query when it is told to."""

    def __init__(self) -> None:
        self.asked: list[set[int]] = []
        self.answers: list[asyncio.Future[None]] = []
        self.lookup = SharedLookup(self._fetch)

    async def _fetch(self, keys: Collection[int]) -> dict[int, str]:
        self.asked.append(set(keys))
        self.answers.append(asyncio.get_running_loop().create_future())
        await self.answers[-1]
        return {key: f"number {key}" for key in keys if key > 0}

    def looking(self, key: int) -> asyncio.Task[str | None]:
        return asyncio.create_task(self.lookup.find(key))

    async def queries(self, count: int) -> None:
        while len(self.asked) < count:
            await asyncio.sleep(0)


async def test_who_asks_while_a_query_is_under_way_shares_the_next() -> None:
    shelf = Shelf()
    first = shelf.looking(1)
    await shelf.queries(1)
    others = [shelf.looking(key) for key in (1, 2, 3, 2)]
    await asyncio.sleep(0)
    shelf.answers[0].set_result(None)
    await shelf.queries(2)
    shelf.answers[1].set_result(None)
    assert await first == "number 1"
    assert await asyncio.gather(*others) == ["number 1", "number 2", "number 3", "number 2"]
    assert shelf.asked == [{1}, {1, 2, 3}]


async def test_what_is_not_there_is_none() -> None:
    shelf = Shelf()
    missing = shelf.looking(-1)
    await shelf.queries(1)
    shelf.answers[0].set_result(None)
    assert await missing is None


async def test_a_fault_reaches_all_who_share_it_and_nobody_after() -> None:
    shelf = Shelf()
    both = [shelf.looking(1), shelf.looking(2)]
    await shelf.queries(1)
    shelf.answers[0].set_exception(OSError("away"))
    for one in both:
        with pytest.raises(OSError, match="away"):
            await one
    again = shelf.looking(1)
    await shelf.queries(2)
    shelf.answers[1].set_result(None)
    assert await again == "number 1"


async def test_who_gives_up_takes_nothing_away_from_the_others() -> None:
    shelf = Shelf()
    gives_up, stays = shelf.looking(1), shelf.looking(1)
    await shelf.queries(1)
    gives_up.cancel()
    shelf.answers[0].set_result(None)
    assert await stays == "number 1"
