"""Subscribers to the connector's stream of its status, in a process of their own. It notes when each of them hears of
each tick, which the server's `uptime` counts."""

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE
from time import perf_counter
from typing import NamedTuple
from urllib.parse import urlsplit

import uvloop

_TICK = re.compile(rb'"metric":"uptime","value":"(\d+)"')


class Ticks(NamedTuple):
    """`ticks` that should have been heard by every subscriber, how many were `missed` by one of them, and the `latest`
    that one was heard, in seconds after it was due by the quickest."""

    ticks: int
    missed: int
    latest: float


async def listen(url: str, subscribers: int, seconds: float) -> Ticks:
    program = [sys.executable, "-m", "benchmarks.subscribers"]
    process = await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE)
    order = {
        "host": urlsplit(url).hostname,
        "port": urlsplit(url).port,
        "subscribers": subscribers,
        "seconds": seconds,
    }
    answer, _ = await process.communicate(json.dumps(order).encode())
    if process.returncode:
        raise RuntimeError(f"the subscribers ended with status {process.returncode}")
    return Ticks(**json.loads(answer))


async def _follow(host: str, port: int, heard: dict[int, float]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET /cloud-connector/status/stream HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    while data := await reader.read(65_536):
        now = perf_counter()
        for tick in _TICK.findall(data):
            heard.setdefault(int(tick), now)


async def _main() -> None:
    order = json.loads(sys.stdin.read())
    everybody: list[dict[int, float]] = [{} for _ in range(order["subscribers"])]
    following = [asyncio.create_task(_follow(order["host"], order["port"], heard)) for heard in everybody]
    while not all(everybody):
        for task in following:
            if task.done():
                task.result()
                raise RuntimeError("a stream ended")
        await asyncio.sleep(0.05)
    first = max(min(heard) for heard in everybody) + 1
    await asyncio.sleep(order["seconds"])
    last = min(max(heard) for heard in everybody)
    ticks = range(first, last + 1)
    # Ticks are a second apart; the quickest of all tells when they are due.
    due = min(at - tick for heard in everybody for tick, at in heard.items())
    late = [heard[tick] - tick - due for heard in everybody for tick in ticks if tick in heard]
    missed = len(ticks) * len(everybody) - len(late)
    sys.stdout.write(json.dumps(Ticks(len(ticks), missed, max(late))._asdict()))
    for task in following:
        task.cancel()


if __name__ == "__main__":
    uvloop.run(_main())
