"""Lists of the past against the same lists now, over HTTP, against `tidemark up` as it is.

* *What there is*: 500 devices with five sensors each and 400 readings of each sensor, a million in all (a tenth with
  `--quick`); 200 of the devices have a hundred metrics, each reported twenty times; 100 topics have ten messages each,
  and a group that reads them.
* *Lists*: four keep-alive connections ask for one as often as they can, in turns of now and as of sixteen moments
  around the middle of the log, half of them positions, half of them times.
* *New times*: a device as of a hundred times that nobody asked for before, each of which has to be found in the log.
"""

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import NamedTuple
from uuid import UUID

import httpx
import msgspec
import psycopg

from benchmarks import http_load
from benchmarks.deployment import Deployment, log_in, up
from benchmarks.fleet import BenchDevice, announce, fleet
from benchmarks.measure import Bench, Figure, Spread, alternate, percentile, require_equal
from projections.audit.trail import AT

SECONDS, CONNECTIONS = 0.6, 4
DEVICES, SENSORS = 500, 5
REPORTING, METRICS, REPORTS = 200, 100, 20
BATCH, QUICK_BATCH, PER_REQUEST = 50_000, 5_000, 5_000
TOPICS = 100
MOMENTS, PLACES = 8, 100

_TIMES = f"SELECT notification_id, {AT} FROM events WHERE notification_id = ANY(%s) ORDER BY notification_id"


async def measure(bench: Bench) -> list[Figure]:
    members = fleet(DEVICES, SENSORS)
    async with up() as deployment:
        await announce(deployment.database, members)
        token = await log_in(deployment.api)
        await _fill(bench, deployment, token, members)
        moments = _around_the_middle(deployment)
        figures = [await _list(bench, asked, token, moments) for asked in _lists(deployment, members)]
        return [*figures, await _new_times(bench, deployment, token, members[0].id)]


async def _fill(bench: Bench, deployment: Deployment, token: str, members: Sequence[BenchDevice]) -> None:
    """All of it mixed, so that everything has a past in the middle of the log."""
    sensors = [sensor for device in members for sensor in device.sensors]
    batch = QUICK_BATCH if bench.quick else BATCH
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(timeout=120, headers=headers) as client:

        async def send(method: str, listener: str, path: str, body: object = None) -> None:
            content = None if body is None else msgspec.json.encode(body)
            (await client.request(method, deployment.urls[listener] + path, content=content)).raise_for_status()

        for number in range(REPORTS):
            bench.say(f"recording, {number * 100 // REPORTS} %")
            for start in range(0, batch, PER_REQUEST):
                await send("POST", "api", "/sensor-readings/batch", _readings(sensors, start))
            for start in range(0, REPORTING, 50):
                devices = [device.id for device in members[start : start + 50]]
                await send("PUT", "metrics", "/metrics", _reports(devices, number))
            if number % 2:
                for topic in range(TOPICS):
                    await send("POST", "producer", f"/v1/topic/topic-{topic}/messages", {"n": number})
            if number == 1:
                for topic in range(TOPICS):
                    asked = f"consumerId=c{topic}&group=group-{topic}&topic=topic-{topic}"
                    await send("PUT", "consumer", f"/v1/consumer/register?{asked}&onNewGroup=startFromEarliest")
    await deployment.settle()
    with psycopg.connect(deployment.database, autocommit=True) as connection:
        # As happens by itself some time later, and not while something is measured.
        connection.execute("VACUUM (ANALYZE) readings, current_metrics, metric_pages")


def _readings(sensors: Sequence[UUID], start: int) -> list[dict[str, object]]:
    return [{"sensor_id": sensors[n % len(sensors)], "value": n / 7} for n in range(start, start + PER_REQUEST)]


def _reports(devices: Sequence[UUID], number: int) -> list[dict[str, object]]:
    report = {"type": "double", "units": "W", "slope": "both", "ttl": 86_400}
    return [
        {"device": device, "name": f"metric.{n}", "value": n + number / 7, **report}
        for device in devices
        for n in range(METRICS)
    ]


def _around_the_middle(deployment: Deployment) -> list[str]:
    """Positions and their times in turn."""
    middle = _head(deployment) // 2
    with psycopg.connect(deployment.database) as connection:
        rows = connection.execute(_TIMES.encode(), (list(range(middle, middle + MOMENTS)),)).fetchall()
    return [text for position, at in rows for text in (str(position), _text(at))]


class Asked(NamedTuple):
    name: str
    url: str
    path: str


def _lists(deployment: Deployment, members: Sequence[BenchDevice]) -> list[Asked]:
    device, sensor = members[0].id, members[0].sensors[0]

    def asked(listener: str, paths: Mapping[str, str]) -> list[Asked]:
        return [Asked(name, deployment.urls[listener], path) for name, path in paths.items()]

    return [
        *asked(
            "api",
            {
                "devices": "/devices",
                "sensors": "/sensors",
                "100 readings": "/sensor-readings?limit=100",
                "100 readings of a sensor": f"/sensor-readings?sensor_id={sensor}&limit=100",
                "the newest reading of each sensor": "/sensor-readings?latest=true",
            },
        ),
        *asked(
            "metrics",
            {
                "metrics of a device": f"/devices/{device}/metrics/current",
                "an hour of a metric": f"/devices/{device}/metrics/metric.7/historic/last/hour",
                f"a metric of {REPORTING} devices": "/metrics/metric.7/current",
                f"which metrics {REPORTING} devices have": "/metrics/unique",
            },
        ),
        *asked("discovery", {"topics": "/v1/topics"}),
        *asked("consumer", {"groups": "/v1/groups"}),
    ]


async def _list(bench: Bench, asked: Asked, token: str, moments: Sequence[str]) -> Figure:
    mark = "&" if "?" in asked.path else "?"

    def asking(paths: Sequence[str]) -> Callable[[], Awaitable[float]]:
        requests = [http_load.get(path, token) for path in paths]

        async def half() -> float:
            load = await http_load.run(asked.url, requests, b"HTTP/1.1 200", SECONDS, CONNECTIONS)
            require_equal(0, load.refused, f"refused of {asked.name}")
            return 1_000 / load.rate

        return half

    bench.say(f"asking for {asked.name}")
    past = asking([f"{asked.path}{mark}as_of={moment}" for moment in moments])
    pairs = await alternate(bench, past, asking([asked.path]))
    ratio = Spread.of([pair.ratio for pair in pairs])
    then, now = (statistics.median(side) for side in zip(*pairs, strict=True))
    note = f"a request each {then:.2f} ms, now {now:.2f} ms"
    return Figure(f"{asked.name}, as of the middle of the log ÷ now", ratio, at_most=2, note=note)


async def _new_times(bench: Bench, deployment: Deployment, token: str, device: UUID) -> Figure:
    """How long one answer takes."""
    bench.say("asking for times that nobody asked for before")
    head = _head(deployment)
    places = list(range(head // 8, head, max(1, head // PLACES)))
    with psycopg.connect(deployment.database) as connection:
        rows = connection.execute(_TIMES.encode(), (places,)).fetchall()
    taken = []
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=deployment.api, headers=headers) as client:
        for _, at in rows:
            started = perf_counter()
            (await client.get(f"/devices/{device}", params={"as_of": _text(at)})).raise_for_status()
            taken.append((perf_counter() - started) * 1e3)
    note = f"p95 {percentile(taken, 0.95):.1f} ms"
    return Figure("a device, as of a time that is new", Spread.of(taken), " ms", at_most=20, note=note)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _head(deployment: Deployment) -> int:
    with psycopg.connect(deployment.database) as connection:
        row = connection.execute("SELECT max(notification_id) FROM events").fetchone()
    return int(row[0]) if row else 0
