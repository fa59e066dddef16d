"""Recording readings over HTTP, against the same without the append and against the library used plainly.

Sixty-four keep-alive connections send `POST /sensor-readings` with a token, each one request at a time, over a
thousand sensors. Three servers take turns:

* *durable*: `tidemark up` as it is, so that projections, relay, NATS and gateway use the same two cores meanwhile;
* *without append*: `tidemark serve`, the same code with `PostgresEventLog.append` answering at once;
* *library*: the same framework, server, token check and body, and behind them the eventsourcing library as its
  documentation uses it: load, act, save in threads, with a connection for each.

*Durable, API alone* is `tidemark serve` on its own database with no worker beside it: it tells what the worker costs.
Between turns, the read models catch up. Every 201 must be an event in the log.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple
from uuid import UUID

import psycopg

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.ports import free_ports
from adapters.security.tokens import Tokens
from benchmarks import http_load
from benchmarks.deployment import TIDEMARK, log_in, server, up
from benchmarks.fleet import announce, fleet
from benchmarks.http_load import HttpLoad
from benchmarks.measure import Bench, Figure, Pair, Spread, compare, made_of, require_equal
from benchmarks.plain_library import PlainReadings, environment
from benchmarks.servers import migrated_postgres, temporary_directory
from domain.identifiers import user_id

SECONDS = 2.5
SECRET = "benchmarks sign with this, and nobody else does"

DURABLE, WITHOUT_APPEND, LIBRARY, API_ALONE = "durable", "without append", "library", "durable, API alone"

_LISTENERS = ("HTTP", "CONNECTOR", "METRICS", "DISCOVERY", "PRODUCER", "CONSUMER")


class Contestant(NamedTuple):
    """A server that takes its turn, and how to see that what it counted is stored."""

    name: str
    url: str
    requests: Sequence[bytes]
    events: Callable[[], int]
    settle: Callable[[], Awaitable[None]]


async def measure(bench: Bench) -> list[Figure]:
    async with AsyncExitStack() as stack:
        bench.say("starting `tidemark up` and three servers")
        contestants = await _contestants(stack)
        loads: dict[str, list[HttpLoad]] = {contestant.name: [] for contestant in contestants}
        for index in bench.rounds():
            for contestant in contestants if index % 2 else reversed(contestants):
                loads[contestant.name].append(await _turn(contestant))
    return _figures(loads)


async def _turn(contestant: Contestant) -> HttpLoad:
    before = contestant.events()
    load = await http_load.run(contestant.url, contestant.requests, b"HTTP/1.1 201", SECONDS)
    require_equal(0, load.refused, f"refused by {contestant.name}")
    if contestant.name != WITHOUT_APPEND:
        require_equal(load.answered, contestant.events() - before, f"answered by {contestant.name}")
    await contestant.settle()
    return load


async def _contestants(stack: AsyncExitStack) -> list[Contestant]:
    members = fleet(200)
    sensors = [sensor for device in members for sensor in device.sensors]
    deployment = await stack.enter_async_context(up())
    await announce(deployment.database, members)
    url = stack.enter_context(migrated_postgres())
    await announce(url, members)
    with PlainReadings(env=environment(url)) as library:
        for sensor in sensors:
            library.add(sensor)
    nats = stack.enter_context(EmbeddedNats(stack.enter_context(temporary_directory())))

    async def single(name: str, program: Sequence[str], table: str) -> Contestant:
        ports = dict(zip(_LISTENERS, free_ports(len(_LISTENERS)), strict=True))
        settings = {
            "TIDEMARK_DATABASE_URL": url,
            "TIDEMARK_NATS_URL": nats.url,
            "TIDEMARK_MQTT_URL": nats.mqtt_url,
            "TIDEMARK_JWT_SECRET": SECRET,
            "TIDEMARK_SEAL_KEY": SECRET,
            **{f"TIDEMARK_{listener}_PORT": str(port) for listener, port in ports.items()},
        }
        base = await stack.enter_async_context(server(program, ports["HTTP"], settings))
        return Contestant(name, base, _requests(token, sensors), lambda: _count(url, table), _nothing)

    token = Tokens(SECRET).issue("benchmark", user_id("benchmark"))
    return [
        Contestant(
            DURABLE,
            deployment.api,
            _requests(await log_in(deployment.api), sensors),
            lambda: _count(deployment.database, "events"),
            deployment.settle,
        ),
        await single(WITHOUT_APPEND, ["-m", "benchmarks.without_append"], "events"),
        await single(LIBRARY, ["-m", "benchmarks.plain_server"], "plainreadings_events"),
        await single(API_ALONE, ["-c", TIDEMARK, "serve"], "events"),
    ]


def _figures(loads: Mapping[str, Sequence[HttpLoad]]) -> list[Figure]:
    def ratio(what: str, ours: str, theirs: str, at_least: float | None = None) -> Figure:
        pairs = [Pair(mine.rate, other.rate) for mine, other in zip(loads[ours], loads[theirs], strict=True)]
        return compare(what, pairs, at_least, ours, theirs)

    slow = [Pair(mine.p99, other.p99) for mine, other in zip(loads[DURABLE], loads[WITHOUT_APPEND], strict=True)]
    route = "durable authenticated POST /sensor-readings at 64 connections"
    return [
        ratio(f"{route} ÷ the same route with the append left out", DURABLE, WITHOUT_APPEND, 0.5),
        Figure(
            "its p99 ÷ that of the route with the append left out",
            Spread.of([pair.ratio for pair in slow]),
            at_most=3,
            note=made_of(slow, DURABLE, WITHOUT_APPEND, " ms"),
        ),
        ratio(f"{route} ÷ the library used plainly behind the same route", DURABLE, LIBRARY, 8),
        ratio("the same with no worker beside it ÷ the route with the append left out", API_ALONE, WITHOUT_APPEND),
    ]


def _requests(token: str, sensors: Sequence[UUID]) -> list[bytes]:
    return [
        http_load.post("/sensor-readings", token, f'{{"sensor_id":"{sensor}","value":{number / 8}}}'.encode())
        for number, sensor in enumerate(sensors)
    ]


def _count(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(f"SELECT coalesce(max(notification_id), 0) FROM {table}".encode()).fetchone()
    return int(row[0]) if row else 0


async def _nothing() -> None:
    pass
