"""What those wait for who ask about connectors while these are busy, against `tidemark up` as it is.

* *Clients*: `POST /api/v1/connectors/clients` of the simulator by sixty-four keep-alive connections, each for another
  subject, until there are 2,000. Each is recorded, asked of its type and admitted before it is answered. All are
  counted in the log.
* *Things*: these clients with a lamp each, whose two properties are recorded every second, as properties and as
  readings of the device. Counted in the log over half a minute (eight seconds with `--quick`). Meanwhile a person looks
  at things and properties, fifty times a second, one request after the other.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from time import monotonic, perf_counter
from uuid import UUID

import httpx
import psycopg

from adapters.security.tokens import Tokens
from benchmarks.deployment import Deployment, up
from benchmarks.measure import Bench, Figure, Spread, percentile, require_equal

CLIENTS = 2_000
CONNECTIONS = 64
SECONDS, QUICK_SECONDS = 30.0, 8.0
LOOKS_PER_SECOND = 50.0
SUBJECT = "X-External-Subject-Id"
SCOPES = ("connctd.connector", "connctd.things.read")

_CREATED = "SELECT count(*) FROM events WHERE topic = 'connectors.client.created.v1'"
_UPDATED = "SELECT count(*) FROM events WHERE topic = 'connectors.properties.updated.v1'"
_STARTED = "SELECT count(*) FROM connector_clients WHERE valid_to IS NULL AND status = 'STARTED'"
_THINGS = "SELECT subject, id FROM things WHERE valid_to IS NULL ORDER BY id LIMIT 500"


async def measure(bench: Bench) -> list[Figure]:
    secret = os.urandom(32).hex()
    headers = {"Authorization": f"Bearer {Tokens(secret).issue('bench', UUID(int=1), scopes=SCOPES)}"}
    async with up({"TIDEMARK_JWT_SECRET": secret}) as deployment:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        base = f"{deployment.api}/api/v1"
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60, limits=limits) as client:
            rate = await _create(bench, deployment, client)
            bench.say("waiting until all are started")
            while _count(deployment, _STARTED) < CLIENTS:
                await asyncio.sleep(0.1)
            return [
                Figure("creating clients at 64 connections", Spread(rate, rate, rate, 1), " clients/s", at_least=500),
                *await _busy(bench, deployment, client),
            ]


async def _create(bench: Bench, deployment: Deployment, client: httpx.AsyncClient) -> float:
    simulator = {"connector_type_id": "simulator", "configuration": {"tick_ms": 1000}}
    (await client.post("/connectors/instances", json=simulator)).raise_for_status()
    subjects = [f"subject-{number}" for number in range(CLIENTS)]
    bench.say(f"creating {CLIENTS:,} clients")

    async def create() -> None:
        while subjects:
            body = {"connector_type_id": "simulator"}
            answer = await client.post("/connectors/clients", json=body, headers={SUBJECT: subjects.pop()})
            require_equal(201, answer.status_code, "status of POST clients")

    started = perf_counter()
    await asyncio.gather(*(create() for _ in range(CONNECTIONS)))
    rate = CLIENTS / (perf_counter() - started)
    require_equal(CLIENTS, _count(deployment, _CREATED), "clients")
    return rate


async def _busy(bench: Bench, deployment: Deployment, client: httpx.AsyncClient) -> list[Figure]:
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    with psycopg.connect(deployment.database) as connection:
        things = connection.execute(_THINGS).fetchall()
    bench.say(f"{CLIENTS:,} clients tick for {seconds:g} s")
    before, began = _count(deployment, _UPDATED), monotonic()
    latencies = await _look(client, [(f"/things/{id}", {SUBJECT: subject}) for subject, id in things], seconds)
    rate = (_count(deployment, _UPDATED) - before) / (monotonic() - began)
    what = f"{CLIENTS:,} clients that tick every second"
    slowest = percentile(latencies, 0.99) * 1e3
    spread = Spread(slowest, min(latencies) * 1e3, max(latencies) * 1e3, 1)
    return [
        Figure(f"{what}: updates recorded", Spread(rate, rate, rate, 1), " things/s", at_least=0.98 * CLIENTS),
        Figure(f"{what}: p99 of the API", spread, " ms", at_most=50),
    ]


async def _look(
    client: httpx.AsyncClient, requests: Sequence[tuple[str, Mapping[str, str]]], seconds: float
) -> list[float]:
    """How long each took."""
    latencies: list[float] = []
    began = monotonic()
    while (due := len(latencies) / LOOKS_PER_SECOND) < seconds:
        await asyncio.sleep(max(0.0, began + due - monotonic()))
        path, headers = requests[len(latencies) // 2 % len(requests)]
        if len(latencies) % 2:
            path = f"{path}/components/lamp/properties/level"
        started = perf_counter()
        answer = await client.get(path, headers=headers)
        latencies.append(perf_counter() - started)
        require_equal(200, answer.status_code, f"status of GET {path}")
    return latencies


def _count(deployment: Deployment, query: str) -> int:
    with psycopg.connect(deployment.database) as connection:
        row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0
