"""examples/subscriber.py follows the events, over a restart and a wipe of NATS, and ends when asked."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from domain.devices.device import DeviceConnected
from domain.identity.user import UserDisabled
from tests.adapters.nats.installation import PATIENCE, Installation

PROGRAM = Path(__file__).parents[3] / "examples" / "subscriber.py"


@asynccontextmanager
async def subscriber(installation: Installation, *options: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), "--server", installation.nats.public_url, *options, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def lines(process: Process, count: int) -> list[str]:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        return [(await process.stdout.readline()).decode() for _ in range(count)]


async def positions(process: Process, count: int) -> list[int]:
    return [json.loads(line)["position"] for line in await lines(process, count)]


async def said(process: Process, text: str) -> None:
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE):
        while text not in (await process.stderr.readline()).decode():
            assert process.returncode is None


async def test_it_prints_a_line_for_every_event(installation: Installation) -> None:
    await installation.append([DeviceConnected(through="mqtt"), UserDisabled(reason="left")])
    await installation.relay_all()
    async with subscriber(installation, "--from", "all") as process:
        first, second = await lines(process, 2)
    assert "devices.device.connected.v1" in first
    assert '{"through": "mqtt"}' in first
    assert "identity.user.disabled.v1" in second
    async with subscriber(installation, "--from", "all", "--context", "identity", "--json") as process:
        (line,) = await lines(process, 1)
    event = json.loads(line)
    assert (event["position"], event["type"], event["data"]) == (2, "identity.user.disabled.v1", {"reason": "left"})


async def test_it_goes_on_after_a_restart_and_a_wipe(installation: Installation) -> None:
    async with installation.relaying() as (_, progress):
        await progress.reached(await installation.append(10))
        async with subscriber(installation, "--from", "8", "--json") as process:
            assert await positions(process, 3) == [8, 9, 10]
            await asyncio.to_thread(installation.nats.restart)
            await installation.append(2)
            assert await positions(process, 2) == [11, 12]
            await asyncio.to_thread(installation.nats.stop)
            installation.nats.wipe()
            await asyncio.to_thread(installation.nats.start)
            await installation.append(2)
            assert await positions(process, 2) == [13, 14]


async def test_only_what_is_new_and_what_a_durable_name_has_not_seen(installation: Installation) -> None:
    async with installation.relaying() as (_, progress):
        await progress.reached(await installation.append(5))
        async with subscriber(installation, "--from", "new", "--durable", "billing", "--json") as process:
            await said(process, "following")
            await installation.append(1)
            assert await positions(process, 1) == [6]
        await progress.reached(await installation.append(2))
        async with subscriber(installation, "--durable", "billing", "--json") as process:
            assert await positions(process, 2) == [7, 8]
