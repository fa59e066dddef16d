"""What those wait for who produce to topics and read them, against `tidemark up` as it is.

* *One message*: `POST /v1/topic/…/messages` of 1 KiB of JSON by thirty-two keep-alive connections, in turns with the
  same request to a bare ASGI application on the same server, which takes the body and does nothing.
* *Many*: NDJSON of 1,000 lines of 100 bytes a request, eight requests on their way. All are counted in the log.
* *Reading*: a new group reads a backlog of five million such messages (one million with `--quick`), poll after poll,
  each of two megabytes; all are counted.
* *Latency*: one consumer waits with `waitMs`, a message is produced a hundred times a second; from before the produce
  is sent until the poll's answer is there.
* *Age*: polls of new groups in a topic of fifty million messages (five with `--quick`) and in one of a million, in
  turns.
* *Memory* of all our own processes, after that backlog was produced and read, against that after half a million.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import count
from time import perf_counter
from uuid import uuid4

import httpx
import msgspec
import psycopg

from adapters.embedded.ports import free_ports
from adapters.eventstore.log import PostgresEventLog
from application.executor import CommandExecutor
from application.streams import HANDLERS
from application.streams.produce import ProduceMessages
from benchmarks import http_load
from benchmarks.deployment import Deployment, server, up
from benchmarks.fleet import mapper, origin
from benchmarks.measure import Bench, Figure, Spread, alternate, compare, made_of, percentile, require_equal
from benchmarks.memory import memory_of
from entrypoints.composition import utc_now

SECONDS = 2.0
LINES, PER_POLL = 1_000, 2 * 1024 * 1024
BACKLOG, QUICK_BACKLOG = 5_000_000, 1_000_000
OLD, QUICK_OLD, YOUNG = 50_000_000, 5_000_000, 1_000_000
EVERY_SECONDS, LATENCIES = 0.01, 500

_STORED = """
    SELECT coalesce(sum((convert_from(state, 'UTF8')::json #>> '{data,count}')::int), 0)
    FROM events WHERE notification_id > %s AND topic = 'streams.partition.produced.v1'
"""


async def measure(bench: Bench) -> list[Figure]:
    (port,) = free_ports(1)
    async with (
        up() as deployment,
        server(["-m", "benchmarks.no_op_server"], port, {"NO_OP_PORT": str(port)}) as no_op,
        httpx.AsyncClient(timeout=120) as client,
    ):
        single = await _single(bench, deployment, no_op)
        await deployment.settle()
        latency = await _latency(bench, deployment)
        many = await _many(bench, deployment)
        reading, memory = await _reading(bench, deployment, client)
        age = await _age(bench, deployment, client)
    return [single, many, reading, *latency, age, memory]


async def _single(bench: Bench, deployment: Deployment, no_op: str) -> Figure:
    body = json.dumps({"text": "x" * (1024 - 12)}).encode()
    requests = [_post(f"/v1/topic/single/messages?partitionKey={n}", body) for n in range(64)]

    def asking(url: str) -> Callable[[], Awaitable[float]]:
        async def half() -> float:
            head = _head(deployment)
            load = await http_load.run(url, requests, b"HTTP/1.1 200", SECONDS, connections=32)
            require_equal(0, load.refused, "refused")
            if url != no_op:
                require_equal(load.answered, _stored(deployment, head), "messages")
                await deployment.settle()
            return load.rate

        return half

    pairs = await alternate(bench, asking(deployment.urls["producer"]), asking(no_op))
    return compare("durable produce of 1 KiB at 32 connections ÷ a bare no-op POST", pairs, 0.5, "produce", "no-op")


async def _many(bench: Bench, deployment: Deployment) -> Figure:
    """Messages a second, in each round."""
    requests = [_post("/v1/topic/many/messages", _lines(n), "application/x-ndjson") for n in range(16)]
    rates = []
    for _ in bench.rounds():
        head = _head(deployment)
        load = await http_load.run(deployment.urls["producer"], requests, b"HTTP/1.1 200", SECONDS, connections=8)
        require_equal(0, load.refused, "refused")
        require_equal(load.answered * LINES, _stored(deployment, head), "messages")
        rates.append(load.rate * LINES)
        await deployment.settle()
    return Figure("NDJSON of 1,000 lines of 100 bytes, durable", Spread.of(rates), " messages/s", at_least=400_000)


async def _reading(bench: Bench, deployment: Deployment, client: httpx.AsyncClient) -> tuple[Figure, Figure]:
    backlog = QUICK_BACKLOG if bench.quick else BACKLOG
    bench.say(f"producing {backlog:,} messages")
    url = f"{deployment.urls['producer']}/v1/topic/backlog/messages"
    bodies = [_lines(n) for n in range(16)]
    early = 0.0
    for number in range(backlog // LINES):
        answer = await client.post(url, content=bodies[number % 16], headers={"Content-Type": "application/x-ndjson"})
        answer.raise_for_status()
        if number == 500:
            early = memory_of(deployment.pid)[0]
    await deployment.settle()
    rates = []
    for _ in range(3):
        bench.say(f"reading {backlog:,} messages")
        id = await _registered(client, deployment, "backlog")
        started, read = perf_counter(), 0
        while (polled := await _poll(client, deployment, id)) is not None:
            read += polled.count(b'{"id":')
        rates.append(read / (perf_counter() - started))
        require_equal(backlog, read, "messages read")
    late = memory_of(deployment.pid)[0]
    return (
        Figure(f"reading a backlog of {backlog:,} messages", Spread.of(rates), " messages/s", at_least=400_000),
        Figure(
            "memory of all our own processes after producing and reading them ÷ after the first half million",
            Spread(late / early, late / early, late / early, 1),
            at_most=1.2,
            note=f"{early:.0f} MB, {late:.0f} MB",
        ),
    )


async def _latency(bench: Bench, deployment: Deployment) -> list[Figure]:
    bench.say("latency")
    sent: dict[int, float] = {}
    latencies: list[float] = []
    async with httpx.AsyncClient(timeout=60) as consumer, httpx.AsyncClient(timeout=60) as producer:
        id = await _registered(consumer, deployment, "latency")

        async def consume() -> None:
            while len(latencies) < LATENCIES:
                answer = await consumer.post(
                    f"{deployment.urls['consumer']}/v1/consumer/poll", params={"consumerId": id, "waitMs": "10000"}
                )
                now = perf_counter()
                if answer.status_code == 200:
                    latencies.extend(now - sent[value] for item in answer.json() for value in item["values"])

        consuming = asyncio.create_task(consume())
        for number in range(LATENCIES):
            sent[number] = perf_counter()
            answer = await producer.post(
                f"{deployment.urls['producer']}/v1/topic/latency/messages", content=str(number).encode()
            )
            answer.raise_for_status()
            await asyncio.sleep(EVERY_SECONDS)
        await asyncio.wait_for(consuming, 60)
    milliseconds = [latency * 1e3 for latency in latencies]
    least, most = min(milliseconds), max(milliseconds)
    what = "produce → poll that waits"
    return [
        Figure(f"{what}: p50", Spread(percentile(milliseconds, 0.5), least, most, 1), " ms", at_most=10),
        Figure(f"{what}: p99", Spread(percentile(milliseconds, 0.99), least, most, 1), " ms"),
    ]


async def _age(bench: Bench, deployment: Deployment, client: httpx.AsyncClient) -> Figure:
    old = QUICK_OLD if bench.quick else OLD
    bench.say(f"filling a topic with {old:,} messages")
    await _fill(deployment, {"old": old, "young": YOUNG})
    await deployment.settle()

    def polling(topic: str) -> Callable[[], Awaitable[float]]:
        async def half() -> float:
            id = await _registered(client, deployment, topic)
            polls = []
            for _ in range(5):
                started = perf_counter()
                if await _poll(client, deployment, id) is None:
                    break
                polls.append(perf_counter() - started)
            return percentile(polls, 0.5) * 1e3

        return half

    pairs = await alternate(bench, polling("old"), polling("young"))
    ratios = Spread.of([pair.ratio for pair in pairs])
    note = made_of(pairs, "old", "young", " ms")
    return Figure(f"a poll out of {old:,} messages ÷ out of {YOUNG:,}", ratios, at_most=1.2, note=note)


async def _fill(deployment: Deployment, topics: dict[str, int]) -> None:
    """Straight through an executor of our own; short values, since it is their number that counts."""
    async with PostgresEventLog(deployment.database, mapper()) as log:
        executor = CommandExecutor(log, HANDLERS, utc_now)
        async with executor.running():
            for name, messages in topics.items():
                values = msgspec.Raw(b"[" + b",".join(b'{"id":%d}' % n for n in range(LINES)) + b"]")
                entries = [
                    ProduceMessages(name=name, partition=n % 4, count=LINES, values=values)
                    for n in range(messages // LINES)
                ]
                for start in range(0, len(entries), 256):
                    some = entries[start : start + 256]
                    await asyncio.gather(*(executor.execute(entry, origin(n)) for n, entry in enumerate(some)))


async def _registered(client: httpx.AsyncClient, deployment: Deployment, topic: str) -> str:
    id = f"bench-{uuid4().hex}"
    query = {"consumerId": id, "group": id, "topic": topic, "onNewGroup": "startFromEarliest"}
    (await client.put(f"{deployment.urls['consumer']}/v1/consumer/register", params=query)).raise_for_status()
    return id


async def _poll(client: httpx.AsyncClient, deployment: Deployment, id: str) -> bytes | None:
    answer = await client.post(f"{deployment.urls['consumer']}/v1/consumer/poll", params={"consumerId": id})
    answer.raise_for_status()
    return answer.content if answer.status_code == 200 else None


def _lines(first: int) -> bytes:
    numbers = count(first * LINES)
    lines = [json.dumps({"id": next(numbers), "name": "some text here"}).encode() for _ in range(LINES)]
    return b"\n".join(line[:-1] + b', "more": "' + b"x" * (88 - len(line)) + b'"}' for line in lines)


def _post(path: str, body: bytes, type: str = "application/json") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _head(deployment: Deployment) -> int:
    with psycopg.connect(deployment.database) as connection:
        row = connection.execute("SELECT coalesce(max(notification_id), 0) FROM events").fetchone()
    return int(row[0]) if row else 0


def _stored(deployment: Deployment, head: int) -> int:
    with psycopg.connect(deployment.database) as connection:
        row = connection.execute(_STORED, (head,)).fetchone()
    return int(row[0]) if row else 0
