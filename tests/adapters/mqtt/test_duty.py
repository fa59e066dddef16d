"""Some work is done by the connected gateway only."""

import asyncio
from contextlib import suppress

import pytest

from adapters.mqtt.duty import Duty


class Work:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.ends = False

    async def __call__(self) -> None:
        self.log.append("began")
        try:
            if not self.ends:
                await asyncio.Event().wait()
        finally:
            self.log.append("ended")


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_work_begins_and_ends_with_the_duty() -> None:
    duty, work = Duty(), Work()
    doing = asyncio.create_task(duty.do(work))
    await turns()
    assert work.log == []
    for times in (1, 2):
        duty.begin()
        await turns()
        assert work.log == ["began", "ended"] * (times - 1) + ["began"]
        duty.end()
        await turns()
        assert work.log == ["began", "ended"] * times
    duty.begin()
    await turns()
    doing.cancel()
    with suppress(asyncio.CancelledError):
        await doing
    assert work.log == ["began", "ended"] * 3


async def test_work_that_is_done_is_done_again_with_the_next_duty_only() -> None:
    duty, work = Duty(), Work()
    work.ends = True
    doing = asyncio.create_task(duty.do(work))
    duty.begin()
    await turns()
    assert work.log == ["began", "ended"]
    duty.end()
    duty.begin()
    await turns()
    assert work.log == ["began", "ended"] * 2
    doing.cancel()


async def test_work_that_fails_fails_whoever_waits_for_it() -> None:
    async def fail() -> None:
        raise RuntimeError("broken")

    duty = Duty()
    duty.begin()
    with pytest.raises(RuntimeError, match="broken"):
        await duty.do(fail)
