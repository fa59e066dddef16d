"""What those wait for who ask about connectors while these are busy, against `tidemark up` as it is.

* *Clients*: `POST /api/v1/connectors/clients` of the simulator by sixty-four keep-alive connections, each for another
  subject, for four seconds. Each is recorded, its type is asked, and it is admitted before it is answered; meanwhile
  the worker starts it and makes its thing. All are counted in the log.
* *Things*: 2,000 clients of another owner with a lamp each, whose two properties are recorded every second, as
  properties and as readings of the device. Counted in the log over half a minute (eight seconds with `--quick`).
  Meanwhile a person looks at things and properties, fifty times a second, one request after the other.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from time import monotonic, perf_counter
from uuid import UUID

import httpx
import msgspec
import psycopg

from adapters.security.tokens import Tokens
from benchmarks import http_load
from benchmarks.deployment import Deployment, up
from benchmarks.measure import Bench, Figure, Spread, percentile, require_equal

CLIENTS = 2_000
# More than can be created in that time.
MOST_CLIENTS, CREATE_SECONDS = 40_000, 4.0
SECONDS, QUICK_SECONDS = 30.0, 8.0
LOOKS_PER_SECOND = 50.0
INSTANCES, CLIENTS_PATH = "/api/v1/connectors/instances", "/api/v1/connectors/clients"
SUBJECT = "X-External-Subject-Id"
SCOPES = ("connctd.connector", "connctd.things.read")

_CREATED = "SELECT count(*) FROM events WHERE topic = 'connectors.client.created.v2'"
_UPDATED = "SELECT count(*) FROM events WHERE topic = 'connectors.properties.updated.v1'"
_STARTED = "SELECT count(*) FROM connector_clients WHERE valid_to IS NULL AND status = 'STARTED'"
_THINGS = "SELECT subject, id FROM things WHERE valid_to IS NULL AND owner = %s ORDER BY id LIMIT 500"


async def measure(bench: Bench) -> list[Figure]:
    secret = os.urandom(32).hex()
    one, other = (Tokens(secret).issue("bench", UUID(int=owner), scopes=SCOPES) for owner in (1, 2))
    async with up({"TIDEMARK_JWT_SECRET": secret}) as deployment:
        created = await _create(bench, deployment, one)
        headers = {"Authorization": f"Bearer {other}"}
        async with httpx.AsyncClient(base_url=deployment.api, headers=headers, timeout=60) as client:
            await _make(bench, deployment, client)
            return [created, *await _busy(bench, deployment, client)]


async def _create(bench: Bench, deployment: Deployment, token: str) -> Figure:
    """Clients that hardly ever tick."""
    bench.say("creating clients")
    async with httpx.AsyncClient(base_url=deployment.api, headers={"Authorization": f"Bearer {token}"}) as client:
        (await client.post(INSTANCES, json=_simulator(tick_ms=3_600_000))).raise_for_status()
    body = msgspec.json.encode({"connector_type_id": "simulator"})
    request = http_load.post(CLIENTS_PATH, token, body)
    subjects = [f"{SUBJECT}: subject-{number}\r\nContent-Length".encode() for number in range(MOST_CLIENTS)]
    requests = [request.replace(b"Content-Length", subject, 1) for subject in subjects]
    load = await http_load.run(deployment.api, requests, b"HTTP/1.1 201", CREATE_SECONDS)
    require_equal(0, load.refused, "refused")
    require_equal(load.answered, _count(deployment, _CREATED), "clients")
    await _until_started(bench, deployment, load.answered)
    rate = Spread(load.rate, load.rate, load.rate, 1)
    note = f"p50 {load.p50:.0f} ms, p99 {load.p99:.0f} ms"
    return Figure("creating clients at 64 connections", rate, " clients/s", at_least=500, note=note)


async def _make(bench: Bench, deployment: Deployment, client: httpx.AsyncClient) -> None:
    """Those that tick every second."""
    (await client.post(INSTANCES, json=_simulator(tick_ms=1000))).raise_for_status()
    before = _count(deployment, _STARTED)
    subjects = [f"subject-{number}" for number in range(CLIENTS)]

    async def create() -> None:
        while subjects:
            headers = {SUBJECT: subjects.pop()}
            (
                await client.post(CLIENTS_PATH, json={"connector_type_id": "simulator"}, headers=headers)
            ).raise_for_status()

    await asyncio.gather(*(create() for _ in range(16)))
    await _until_started(bench, deployment, before + CLIENTS)


async def _until_started(bench: Bench, deployment: Deployment, clients: int) -> None:
    bench.say(f"waiting until {clients:,} clients are started")
    while _count(deployment, _STARTED) < clients:
        await asyncio.sleep(0.1)
    await deployment.settle()


def _simulator(**settings: object) -> dict[str, object]:
    return {"connector_type_id": "simulator", "configuration": settings}


async def _busy(bench: Bench, deployment: Deployment, client: httpx.AsyncClient) -> list[Figure]:
    seconds = QUICK_SECONDS if bench.quick else SECONDS
    with psycopg.connect(deployment.database) as connection:
        things = connection.execute(_THINGS, (str(UUID(int=2)),)).fetchall()
    bench.say(f"{CLIENTS:,} clients tick for {seconds:g} s")
    before, began = _count(deployment, _UPDATED), monotonic()
    latencies = await _look(client, [(f"/api/v1/things/{id}", {SUBJECT: subject}) for subject, id in things], seconds)
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
