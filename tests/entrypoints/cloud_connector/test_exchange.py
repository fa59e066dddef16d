"""A request whose client hangs up, and one that the end of the process overtakes."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from entrypoints import exchange as exchange_module
from entrypoints.cloud_connector.pending import HurriedError, Pending
from entrypoints.exchange import LARGEST_BODY, ClientGoneError, Exchange, TooLargeError, TooSlowError
from entrypoints.operations.pages import Message

SLOW = exchange_module.WATCH_SECONDS * 2

GONE = {"type": "http.disconnect"}


def exchange(messages: Sequence[Message] = (), gone: asyncio.Event | None = None) -> Exchange:
    """Its client sends the messages, and hangs up when it is told to."""
    left = list(messages)

    async def receive() -> Message:
        if left:
            return left.pop(0)
        await (gone or asyncio.Event()).wait()
        return GONE

    async def send(_: Message) -> None:
        return

    return Exchange({"type": "http", "method": "POST", "headers": []}, receive, send)


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_comes_in_parts() -> None:
    assert await exchange([part(b"a", more=True), part(b"b", more=True), part(b"c")]).body() == b"abc"


async def test_a_body_is_bounded_while_it_comes_in() -> None:
    endless = [part(b"x" * (LARGEST_BODY // 2), more=True)] * 3
    with pytest.raises(TooLargeError):
        await exchange(endless).body()


async def test_a_body_that_never_ends_is_given_up() -> None:
    with pytest.raises(TooSlowError):
        await exchange([part(b"a", more=True)]).body(seconds=0.01)


async def test_who_hangs_up_in_the_middle_of_a_body_is_gone() -> None:
    with pytest.raises(ClientGoneError):
        await exchange([part(b"a", more=True), GONE]).body()


async def test_work_that_ends_in_time_is_answered() -> None:
    async def work(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"

    asked = exchange()
    before = len(asyncio.all_tasks())
    for seconds in (0, SLOW):
        assert await asked.unless_gone(work(seconds)) == "done"
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before


async def test_what_the_work_raises_is_raised() -> None:
    async def work() -> str:
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        await exchange().unless_gone(work())


async def test_work_for_somebody_who_hangs_up_is_cancelled() -> None:
    gone, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        gone.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(ClientGoneError):
        await exchange(gone=gone).unless_gone(work())
    assert ended.is_set()
    # This task itself was not cancelled by anybody.
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_somebody_who_hangs_up_when_the_work_is_done_disturbs_nothing() -> None:
    gone = asyncio.Event()

    async def work() -> str:
        await asyncio.sleep(SLOW)
        gone.set()
        return "done"

    asked = exchange(gone=gone)
    assert await asked.unless_gone(work()) == "done"
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_cancellation_from_elsewhere_goes_through() -> None:
    task = asyncio.create_task(exchange().unless_gone(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def wait_for_ever(pending: Pending) -> Any:
    with pending.waiting():
        await exchange().unless_gone(asyncio.Event().wait())


async def test_whoever_still_waits_when_the_process_ends_is_told_so() -> None:
    stopping = asyncio.Event()
    async with Pending(stopping, 0.01).running() as pending:
        waiting = [asyncio.create_task(wait_for_ever(pending)) for _ in range(3)]
        await asyncio.sleep(0)
        stopping.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [HurriedError] * 3


async def test_a_cancellation_that_is_no_hurry_goes_through() -> None:
    async with Pending(asyncio.Event(), 0.01).running() as pending:
        task = asyncio.create_task(wait_for_ever(pending))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
