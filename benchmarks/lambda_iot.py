"""What users of Lambda IoT Core wait for: a device, a page of readings, a curve, and a bulk of readings stored.

* *A device*: `GET /devices/:id` by sixty-four keep-alive connections with a token, in turns with `GET /protected`,
  which the same server answers from the token alone. The device is read from the read model after a look whether that
  is fresh.
* *A bulk*: `POST /sensor-readings/batch` with 10,000 readings a request, two requests on their way, against
  `tidemark up` as it is. The readings are counted in the log; between the turns the read models catch up.
* *A page*: the newest hundred readings of one sensor out of ten million rows, in turns with a hundred thousand in
  another database, of a thousand sensors each; the median of a few hundred queries.
* *A curve*: a million readings of one sensor summed up, an average for each seventeen minutes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import perf_counter
from uuid import UUID, uuid5

import httpx
import msgspec
import psycopg

from benchmarks import http_load
from benchmarks.deployment import Deployment, log_in, up
from benchmarks.fleet import announce, fleet
from benchmarks.measure import Bench, Figure, Spread, alternate, compare, made_of, require_equal
from benchmarks.servers import migrated_postgres
from domain.identifiers import TIDEMARK
from projections.database import Database
from projections.devices.reading_queries import Range, ReadingQueries

SECONDS = 2.0
PER_REQUEST = 10_000
REQUESTS = 10
FEW, MANY, SENSORS = 100_000, 10_000_000, 1_000
CURVE = 1_000_000
ASKED = 300

_FILL = """
    INSERT INTO readings (id, sensor_id, value, value_at, received_at)
    SELECT %(first)s + n, (%(sensors)s::uuid[])[1 + n %% cardinality(%(sensors)s::uuid[])], n %% 100,
           timestamptz '2026-01-01' + n * interval '1 second', now()
    FROM generate_series(1, %(count)s) n
"""
_READINGS = """
    SELECT coalesce(sum(json_array_length(convert_from(state, 'UTF8')::json #> '{data,readings}')), 0)
    FROM events WHERE notification_id > %s AND topic = 'devices.readings.recorded.v1'
"""


async def measure(bench: Bench) -> list[Figure]:
    async with up() as deployment:
        members = fleet(200)
        await announce(deployment.database, members)
        await deployment.settle()
        token = await log_in(deployment.api)
        device = await _device(bench, deployment, token, [member.id for member in members])
        sensors = [sensor for member in members for sensor in member.sensors]
        bulk = [await _bulk(deployment, token, sensors) for _ in bench.rounds()]
    page, curve = await _queries(bench)
    what = "bulk creation of readings over HTTP, durable"
    return [device, Figure(what, Spread.of(bulk), " readings/s", at_least=50_000), page, curve]


async def _device(bench: Bench, deployment: Deployment, token: str, ids: list[UUID]) -> Figure:
    def asking(*paths: str) -> Callable[[], Awaitable[float]]:
        requests = [http_load.get(path, token) for path in paths]

        async def half() -> float:
            load = await http_load.run(deployment.api, requests, b"HTTP/1.1 200", SECONDS)
            require_equal(0, load.refused, "refused")
            return load.rate

        return half

    pairs = await alternate(bench, asking(*(f"/devices/{id}" for id in ids)), asking("/protected"))
    return compare("GET /devices/:id ÷ a no-op authenticated GET", pairs, 0.5, "device", "no-op")


async def _bulk(deployment: Deployment, token: str, sensors: list[UUID]) -> float:
    body = msgspec.json.encode([{"sensor_id": sensors[n % len(sensors)], "value": n / 7} for n in range(PER_REQUEST)])
    head = _head(deployment.database)
    waiting = [body] * REQUESTS
    async with httpx.AsyncClient(
        base_url=deployment.api, timeout=60, headers={"Authorization": f"Bearer {token}"}
    ) as client:

        async def post() -> None:
            while waiting:
                answer = await client.post("/sensor-readings/batch", content=waiting.pop())
                answer.raise_for_status()

        started = perf_counter()
        await asyncio.gather(post(), post())
        seconds = perf_counter() - started
    with psycopg.connect(deployment.database) as connection:
        row = connection.execute(_READINGS, (head,)).fetchone()
    require_equal(PER_REQUEST * REQUESTS, int(row[0]) if row else 0, "readings")
    await deployment.settle()
    return PER_REQUEST * REQUESTS / seconds


async def _queries(bench: Bench) -> tuple[Figure, Figure]:
    sensors = [uuid5(TIDEMARK, f"benchmark/{n}") for n in range(SENSORS)]
    many = MANY // 10 if bench.quick else MANY
    with migrated_postgres() as small, migrated_postgres() as large:
        bench.say(f"filling a table with {many:,} readings")
        await asyncio.to_thread(_fill, small, sensors, FEW, 0)
        await asyncio.to_thread(_fill, large, sensors, many, 0)
        async with Database(small) as few_database, Database(large) as many_database:
            few, all_of_them = ReadingQueries(few_database), ReadingQueries(many_database)
            pairs = await alternate(bench, lambda: _page(all_of_them, sensors), lambda: _page(few, sensors))
            curve = await _curve(bench, large, all_of_them, many)
    what = f"100 newest readings of a sensor out of {many:,} ÷ out of {FEW:,}"
    ratios = Spread.of([pair.ratio for pair in pairs])
    return Figure(what, ratios, at_most=1.5, note=made_of(pairs, "many", "few", " µs")), curve


async def _page(queries: ReadingQueries, sensors: list[UUID]) -> float:
    """Microseconds, the median of a few hundred questions after a hundred that warm up."""
    seconds = []
    for asked in range(ASKED + 100):
        started = perf_counter()
        rows = await queries.list(Range(sensors[asked * 7 % len(sensors)]), 100)
        seconds.append(perf_counter() - started)
        require_equal(100, len(rows), "readings of a page")
    return Spread.of(seconds[100:]).median * 1e6


async def _curve(bench: Bench, url: str, queries: ReadingQueries, before: int) -> Figure:
    sensor = uuid5(TIDEMARK, "benchmark/curve")
    await asyncio.to_thread(_fill, url, [sensor], CURVE, before)
    seconds = []
    for _ in range(bench.pairs):
        started = perf_counter()
        rows = await queries.buckets(Range(sensor), timedelta(minutes=17), ["avg"], 1_000)
        seconds.append(perf_counter() - started)
        require_equal(CURVE // (17 * 60) + 1, len(rows), "points of the curve")
    return Figure("downsampling a million readings", Spread.of(seconds), " s", at_most=0.5)


def _fill(url: str, sensors: list[UUID], count: int, first: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_FILL, {"sensors": sensors, "count": count, "first": first})
        # As happens by itself some time later, and not while something is measured.
        connection.execute("VACUUM (ANALYZE) readings")
        connection.execute("CHECKPOINT")


def _head(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT coalesce(max(notification_id), 0) FROM events").fetchone()
    return int(row[0]) if row else 0
