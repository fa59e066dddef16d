"""What users of the cloud connector wait for: answers of devices, and a stream that keeps its beat; and what a
connected fleet costs while it says nothing.

* *A fleet*: two thousand devices by WebSocket and two thousand by MQTT, connected at once to one `tidemark up`; memory
  (PSS) of all our own processes, and their processor time over the next twenty seconds, in which nothing is said.
* *An answer*: `POST /devices/command/:id` by sixty-four keep-alive connections to one device, which answers at once.
  Each is recorded before it is sent and again before it is told.
* *A beat*: five hundred subscribers to `/cloud-connector/status/stream` while devices send five thousand messages a
  second: how late the latest of them heard a tick, after the instant at which it was due.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx

from benchmarks import http_load, subscribers
from benchmarks.connected_devices import connected
from benchmarks.deployment import Deployment, up
from benchmarks.fleet import announce, fleet
from benchmarks.measure import Bench, Figure, Spread, require_equal
from benchmarks.memory import descendants, is_python, memory_of
from benchmarks.mqtt_load import connect_packet, publish_packet

DEVICES = 2_000
IDLE_SECONDS = 20.0
ROUND_SECONDS = 3.0
SUBSCRIBERS, MESSAGES, BEAT_SECONDS = 500, 5_000, 8.0
TOPIC = "lambdaiot"
_TICKS = os.sysconf("SC_CLK_TCK")


async def measure(bench: Bench) -> list[Figure]:
    async with up() as deployment:
        memory, idle = await _fleet(bench, deployment)
        answers, slowest = await _answers(bench, deployment)
        beat = await _beat(bench, deployment)
    return [memory, idle, answers, slowest, beat]


async def _fleet(bench: Bench, deployment: Deployment) -> tuple[Figure, Figure]:
    members = fleet(DEVICES, sensors=1)
    await announce(deployment.database, members)
    names = [f"device-{number}" for number in range(DEVICES)]
    bench.say(f"connecting {DEVICES:,} devices by WebSocket and {DEVICES:,} by MQTT")
    async with (
        connected(deployment.urls["connector"], names),
        _present(deployment.urls["mqtt"], [str(member.id) for member in members]),
    ):
        await _listed(deployment, 2 * DEVICES)
        pss, rss, processes = memory_of(deployment.pid)
        before = _processor_seconds(deployment.pid)
        await asyncio.sleep(IDLE_SECONDS)
        share = (_processor_seconds(deployment.pid) - before) / IDLE_SECONDS * 100
    await _listed(deployment, DEVICES)  # whoever came by MQTT left no will
    what = f"memory of all our own processes with {DEVICES:,} devices on WebSocket and {DEVICES:,} on MQTT"
    note = f"{processes} processes, RSS {rss:.0f} MB"
    return (
        Figure(what, Spread.of([pss]), " MB", at_most=300, note=note),
        Figure("their processor time while nothing is said, of a core", Spread.of([share]), " %", at_most=5),
    )


async def _answers(bench: Bench, deployment: Deployment) -> tuple[Figure, Figure]:
    url = deployment.urls["connector"]
    rates, p99s = [], []
    async with connected(url, ["asked"]):
        request = http_load.post("/devices/command/asked", "none", b'{"payload":"on"}')
        for _ in bench.rounds():
            load = await http_load.run(url, [request], b"HTTP/1.1 200", ROUND_SECONDS)
            require_equal(0, load.refused, "refused commands")
            rates.append(load.rate)
            p99s.append(load.p99)
            await deployment.settle()
    what = "command round trips through a device that answers at once, 64 in flight"
    return (
        Figure(what, Spread.of(rates), "/s", at_least=1_500),
        Figure("their p99", Spread.of(p99s), " ms", at_most=60),
    )


async def _beat(bench: Bench, deployment: Deployment) -> Figure:
    url = deployment.urls["connector"]
    late = []
    async with connected(url, [f"talker-{number}" for number in range(100)], MESSAGES):
        for _ in bench.rounds():
            ticks = await subscribers.listen(url, SUBSCRIBERS, BEAT_SECONDS)
            require_equal(0, ticks.missed, "missed ticks")
            late.append(ticks.latest * 1e3)
    what = f"latest tick that one of {SUBSCRIBERS} subscribers heard, at {MESSAGES:,} messages/s"
    return Figure(what, Spread.of(late), " ms", at_most=200)


@asynccontextmanager
async def _present(url: str, ids: Sequence[str]) -> AsyncIterator[None]:
    """Connected to the broker, with their presence told."""
    host, port = urlsplit(url).hostname, urlsplit(url).port

    async def connect(id: str) -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(connect_packet(f"bench-{id}"))
        await reader.readexactly(4)
        writer.write(publish_packet(f"{TOPIC}/{id}/status", 1, b"online"))
        await reader.readexactly(4)
        return writer

    writers: list[asyncio.StreamWriter] = []
    for first in range(0, len(ids), 100):
        writers += await asyncio.gather(*(connect(id) for id in ids[first : first + 100]))
    try:
        yield
    finally:
        for writer in writers:
            writer.close()


async def _listed(deployment: Deployment, count: int) -> None:
    """Waits until so many devices are connected."""
    async with httpx.AsyncClient(base_url=deployment.urls["connector"], timeout=30) as client:
        while True:
            answer = (await client.get("/cloud-connector/status")).raise_for_status()
            if answer.json()["metrics"]["connections"] == count:
                return
            await asyncio.sleep(0.1)


def _processor_seconds(pid: int) -> float:
    """Of our own processes so far, user and system."""
    ticks = 0
    for process in filter(is_python, descendants(pid)):
        with open(f"/proc/{process}/stat", encoding="utf-8") as stat:
            fields = stat.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS
