"""The ticker of the live status: who hears what, and when it rests."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest

from entrypoints.cloud_connector import ticker as module
from entrypoints.cloud_connector.ticker import Metrics, StatusTicker, Subscriber, TooManySubscribersError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)


def counting(**steady: Any) -> Callable[[Metrics], Any]:
    """Each look finds one more message."""
    looks = 0

    async def measure(_: Metrics) -> Metrics:
        nonlocal looks
        looks += 1
        return {"uptime": 5, "received_messages": looks, **steady}

    return measure


def told(chunk: bytes) -> dict[str, str]:
    events = [msgspec.json.decode(line[6:]) for line in chunk.splitlines() if line.startswith(b"data: ")]
    return {event["metric"]: event["value"] for event in events}


async def test_changes_are_told_and_the_uptime_always() -> None:
    ticker = StatusTicker(counting(connections=3), asyncio.Event())
    with ticker.subscribed() as subscriber:
        heard = told(await subscriber.changes(10))
    assert heard == {"uptime": "5", "received_messages": heard["received_messages"]}
    assert int(heard["received_messages"]) > 1


async def test_it_rests_while_nobody_listens() -> None:
    before = len(asyncio.all_tasks())
    ticker = StatusTicker(counting(), asyncio.Event())
    for _ in range(2):
        with ticker.subscribed() as subscriber:
            assert await subscriber.changes(10)
        await asyncio.sleep(0)
        assert len(ticker) == 0
        assert len(asyncio.all_tasks()) == before


async def test_who_reads_late_gets_the_newest_values_only() -> None:
    subscriber = Subscriber()
    for number in range(1000):
        subscriber.tell({"uptime": b"%d" % number, "connections": b"c"})
    assert await subscriber.changes(0) == b"999c"
    assert await subscriber.changes(0) == b""


async def test_a_measure_that_fails_costs_one_tick() -> None:
    failures = 0

    async def measure(before: Metrics) -> Metrics:
        nonlocal failures
        if before and failures < 2:
            failures += 1
            raise RuntimeError("away")
        return {"uptime": 1, "connections": failures}

    ticker = StatusTicker(measure, asyncio.Event())
    with ticker.subscribed() as subscriber:
        heard: dict[str, str] = {}
        while "connections" not in heard:
            heard = told(await subscriber.changes(10))
    assert heard["connections"] == "2"


async def test_the_end_wakes_everybody() -> None:
    stopping = asyncio.Event()
    ticker = StatusTicker(counting(), stopping)
    with ticker.subscribed() as subscriber:
        await subscriber.changes(10)
        stopping.set()
        async with asyncio.timeout(10):
            await subscriber.changes(10)


async def test_there_is_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SUBSCRIBERS", 2)
    ticker = StatusTicker(counting(), asyncio.Event())
    with ExitStack() as stack:
        stack.enter_context(ticker.subscribed())
        stack.enter_context(ticker.subscribed())
        with pytest.raises(TooManySubscribersError):
            stack.enter_context(ticker.subscribed())
    with ticker.subscribed():
        assert len(ticker) == 1
