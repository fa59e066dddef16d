"""What those wait for who report metrics, and who draw them, against `tidemark up` as it is.

* *One report*: `PUT /:device/metrics` by sixty-four keep-alive connections, in turns with `PUT /metrics` of an empty
  array, which is an authenticated PUT that does nothing.
* *Many*: 10,000 reports a request, two requests on their way: `PUT /metrics`, and Prometheus' remote write with the
  labels that a node exporter has. All are counted in the log; between the turns the read models catch up.
* *History*: `last/quarter` with all its points known, of one device and of a thousand, until the last byte is there.
* *A fleet*: 100,000 series, a hundred of each of a thousand devices, all of which report every 15 seconds: 6,667
  reports a second for ten minutes (half a minute with `--quick`). The lag is the time from an answer until current
  values show what was answered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic, perf_counter, time
from uuid import UUID

import cramjam
import httpx
import msgspec
import psycopg

from adapters.eventstore.log import PostgresEventLog
from application.executor import CommandExecutor
from application.metrics import reports
from application.metrics.reports import ReportFleetMetrics
from benchmarks import http_load
from benchmarks.deployment import Deployment, log_in, up
from benchmarks.fleet import announce, fleet, mapper, origin
from benchmarks.measure import Bench, Figure, Spread, UncountedError, alternate, compare, percentile, require_equal
from domain.devices.device import DEVICE
from domain.metrics.report import Report
from entrypoints.metric_reporting.bodies.remote_write_pb2 import Label, WriteRequest

SECONDS = 2.0
DEVICES, METRICS = 1_000, 100
PER_REQUEST, REQUESTS = 10_000, 10
QUARTER_DAYS = 90
EVERY_SECONDS, MINUTES, QUICK_MINUTES = 15.0, 10.0, 0.5
TOGETHER = 10  # devices that report in one request

_REPORTS = """
    SELECT coalesce(sum(json_array_length(convert_from(state, 'UTF8')::json #> '{data,reports}')), 0)
    FROM events WHERE notification_id > %s AND topic = 'metrics.reports.recorded.v1'
"""

Body = Callable[[Sequence[UUID], Sequence[int]], bytes]


async def measure(bench: Bench) -> list[Figure]:
    async with up() as deployment:
        devices = [member.id for member in fleet(DEVICES, sensors=0)]
        await announce(deployment.database, fleet(DEVICES, sensors=0))
        headers = {"Authorization": f"Bearer {await log_in(deployment.api)}"}
        bench.say(f"recording a quarter of {DEVICES} devices")
        await _record_quarter(deployment, devices)
        await deployment.settle()
        async with httpx.AsyncClient(base_url=deployment.urls["metrics"], timeout=120, headers=headers) as client:
            single = await _single(bench, deployment, headers["Authorization"].split()[1], devices)
            await deployment.settle()
            history = await _history(bench, client, devices)
            bulk = await _many(bench, deployment, client, devices, "PUT", "/metrics", _array)
            written = await _many(bench, deployment, client, devices, "POST", "/api/v1/write", _write)
            lags = await _sustained(bench, deployment, client, devices)
    return [
        single,
        Figure("bulk reports of metrics, durable", Spread.of(bulk), " reports/s", at_least=60_000),
        Figure("Prometheus remote write, durable", Spread.of(written), " samples/s", at_least=60_000),
        *history,
        *lags,
    ]


async def _single(bench: Bench, deployment: Deployment, token: str, devices: Sequence[UUID]) -> Figure:
    def asking(requests: list[bytes]) -> Callable[[], Awaitable[float]]:
        async def half() -> float:
            load = await http_load.run(deployment.urls["metrics"], requests, b"HTTP/1.1 200", SECONDS)
            require_equal(0, load.refused, "refused")
            await deployment.settle()
            return load.rate

        return half

    one = msgspec.json.encode(_report("load", 1.5))
    ours = [_put(f"/{device}/metrics", token, one) for device in devices]
    pairs = await alternate(bench, asking(ours), asking([_put("/metrics", token, b"[]")]))
    return compare("durable PUT of a metric at 64 connections ÷ a no-op authenticated PUT", pairs, 0.5, "PUT", "no-op")


async def _many(
    bench: Bench,
    deployment: Deployment,
    client: httpx.AsyncClient,
    devices: Sequence[UUID],
    method: str,
    path: str,
    body: Body,
) -> list[float]:
    """Reports a second, in each round."""
    rates = []
    for _ in bench.rounds():
        bodies = [body(devices[n * 100 : n * 100 + 100], range(PER_REQUEST // 100)) for n in range(REQUESTS)]
        head = _head(deployment.database)

        async def send(waiting: list[bytes] = bodies) -> None:
            while waiting:
                answer = await client.request(method, path, content=waiting.pop())
                answer.raise_for_status()

        started = perf_counter()
        await asyncio.gather(send(), send())
        seconds = perf_counter() - started
        with psycopg.connect(deployment.database) as connection:
            row = connection.execute(_REPORTS, (head,)).fetchone()
        require_equal(PER_REQUEST * REQUESTS, int(row[0]) if row else 0, "reports")
        rates.append(PER_REQUEST * REQUESTS / seconds)
        await deployment.settle()
    return rates


async def _history(bench: Bench, client: httpx.AsyncClient, devices: Sequence[UUID]) -> list[Figure]:
    one = [await _seconds(client, f"/devices/{devices[n]}/metrics/old/historic/last/quarter") for n in range(30)]
    every = [await _seconds(client, "/metrics/old/historic/last/quarter") for _ in range(max(3, bench.pairs // 2))]
    what = "`last/quarter` of one device and metric"
    return [
        Figure(what, Spread.of([seconds * 1e3 for seconds in one[5:]]), " ms", at_most=30),
        Figure(f"`last/quarter` of a metric of {DEVICES:,} devices", Spread.of(every), " s", at_most=1.5),
    ]


async def _seconds(client: httpx.AsyncClient, path: str) -> float:
    started = perf_counter()
    answer = await client.get(path)
    seconds = perf_counter() - started
    answer.raise_for_status()
    series = max(1, answer.content.count(b'"id"'))
    known = answer.content.count(b'"timestamp"') - answer.content.count(b"null")
    if known < series * (24 * QUARTER_DAYS - 2):  # the hour that has just begun is not known
        raise UncountedError(f"{known:,} points of {series:,} series are not the quarter that was reported")
    return seconds


async def _sustained(
    bench: Bench, deployment: Deployment, client: httpx.AsyncClient, devices: Sequence[UUID]
) -> list[Figure]:
    minutes = QUICK_MINUTES if bench.quick else MINUTES
    await _report_all(client, devices)  # so that no series is new
    await deployment.settle()
    head = _head(deployment.database)
    lags: list[float] = []
    sent = 0
    async with (
        await psycopg.AsyncConnection.connect(deployment.database, autocommit=True) as connection,
        asyncio.TaskGroup() as tasks,
    ):
        for moment, group in _moments(devices, minutes * 60):
            if sent % 100 == 0:
                bench.say(f"{sent * TOGETHER * METRICS:,} reports, lag {max(lags[-100:], default=0):.2f} s")
            await asyncio.sleep(max(0.0, moment - monotonic()))
            tasks.create_task(_report_and_see(client, connection, group, lags, looks=sent % 5 == 0))
            sent += 1
    with psycopg.connect(deployment.database) as counting:
        row = counting.execute(_REPORTS, (head,)).fetchone()
    require_equal(sent * TOGETHER * METRICS, int(row[0]) if row else 0, "reports")
    what = f"lag of current values, 100,000 series at {len(devices) * METRICS / EVERY_SECONDS:,.0f} reports/s"
    return [
        Figure(f"{what}, {minutes:g} minutes: p50", Spread(percentile(lags, 0.5), min(lags), max(lags), 1), " s"),
        Figure(f"{what}: the greatest", Spread(max(lags), min(lags), max(lags), 1), " s", at_most=1),
    ]


def _moments(devices: Sequence[UUID], seconds: float) -> Iterator[tuple[float, Sequence[UUID]]]:
    """When which devices report, all of them evenly within 15 seconds, again and again."""
    groups = [devices[start : start + TOGETHER] for start in range(0, len(devices), TOGETHER)]
    pause = EVERY_SECONDS / len(groups)
    began = monotonic()
    for number in range(int(seconds / pause)):
        yield began + number * pause, groups[number % len(groups)]


async def _report_and_see(
    client: httpx.AsyncClient,
    connection: psycopg.AsyncConnection,
    devices: Sequence[UUID],
    lags: list[float],
    *,
    looks: bool,
) -> None:
    answer = (await client.put("/metrics", content=_array(devices, range(METRICS)))).raise_for_status()
    answered, position = monotonic(), int(answer.headers["tidemark-position"])
    while looks:
        cursor = await connection.execute("SELECT position FROM projections WHERE name = 'current_metrics'")
        row = await cursor.fetchone()
        if row and row[0] >= position:
            lags.append(monotonic() - answered)
            return
        await asyncio.sleep(0.01)


async def _report_all(client: httpx.AsyncClient, devices: Sequence[UUID]) -> None:
    for start in range(0, len(devices), 100):
        body = _array(devices[start : start + 100], range(METRICS))
        (await client.put("/metrics", content=body)).raise_for_status()


async def _record_quarter(deployment: Deployment, devices: Sequence[UUID]) -> None:
    """A report a day that holds for a day, in the past: the log takes its time from the executor's clock."""
    begin = datetime.now(UTC) - timedelta(days=QUARTER_DAYS, hours=1)
    clock = begin
    async with PostgresEventLog(deployment.database, mapper()) as log:
        executor = CommandExecutor(log, reports.handlers(DEVICE), lambda: clock)
        async with executor.running():
            for day in range(QUARTER_DAYS + 1):
                clock = begin + timedelta(days=day)
                one = (Report(name="old", value=float(day), units="", type="double", slope="both", ttl=86_400),)
                await executor.execute(ReportFleetMetrics(reports=dict.fromkeys(devices, one)), origin(day))


def _report(name: str, value: float) -> dict[str, object]:
    return {"name": name, "value": value, "units": "W", "type": "double", "slope": "both", "ttl": 60}


def _array(devices: Sequence[UUID], metrics: Sequence[int]) -> bytes:
    now = time()
    return msgspec.json.encode(
        [{"device": device, **_report(f"metric.{n}", now % 1000 + n)} for device in devices for n in metrics]
    )


def _write(devices: Sequence[UUID], metrics: Sequence[int]) -> bytes:
    request, now = WriteRequest(), time()
    for device in devices:
        for number in metrics:
            series = request.timeseries.add()
            labels = (
                ("__name__", f"node_metric_{number}_total"),
                ("cpu", str(number % 8)),
                ("instance", str(device)),
                ("job", "node"),
                ("mode", "idle"),
            )
            series.labels.extend([Label(name=name, value=value).SerializeToString() for name, value in labels])
            series.samples.add(value=now % 1000 + number, timestamp=int(now * 1000))
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def _put(path: str, token: str, body: bytes) -> bytes:
    return http_load.post(path, token, body).replace(b"POST ", b"PUT ", 1)


def _head(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT coalesce(max(notification_id), 0) FROM events").fetchone()
    return int(row[0]) if row else 0
