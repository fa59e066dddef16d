"""Prometheus remote write 1.0 (beyond the contract)."""

from collections.abc import Sequence

import structlog

from entrypoints.exchange import Answer
from entrypoints.metric_reporting.bodies.encoded import UnreadableError
from entrypoints.metric_reporting.bodies.remote_write import LARGEST_WRITE, Counts, Series, read_series, reports_of
from entrypoints.metric_reporting.door import Door
from entrypoints.metric_reporting.errors import RefusedError, bad_request, refused
from entrypoints.metric_reporting.exchange import MetricExchange
from entrypoints.metric_reporting.recording import BODY_SECONDS, aside, find_devices, record
from entrypoints.metric_reporting.views import JSON, json_body

NAMED_DEVICES = 20

_log = structlog.get_logger("tidemark.metrics")


async def write(door: Door, exchange: MetricExchange) -> Answer:
    """204 when every sample is on disk. Otherwise it is told how many were left out and why: with 400, which agents log
    and never send again, when there were invalid ones or nothing was of a known device, else with 200."""
    _require_first_version(exchange)
    body = await exchange.body(LARGEST_WRITE, BODY_SECONDS)
    try:
        series = await aside(len(body) * 10, read_series, body)
    except UnreadableError as wrong:
        raise bad_request(str(wrong)) from None
    devices = await find_devices(door, await aside(len(body) * 10, _called, series))
    written = await aside(len(body) * 10, reports_of, series, devices, door.clock().timestamp())
    recorded = await record(door, exchange, written.of)
    gone = sum(len(reports) for device, reports in written.of.items() if device not in recorded.devices)
    count = sum(map(len, written.of.values())) - gone
    counts = written.counts._replace(unknown_device=written.counts.unknown_device + gone)
    for outcome, number in (("recorded", count), *counts._asdict().items()):
        door.observer.reported("remote_write", outcome, number)
    position = (b"tidemark-position", str(recorded.position).encode())
    if not any(counts):
        return Answer(b"", 204, (position,), type=b"")
    unknown = sorted(written.unknown_devices)[:NAMED_DEVICES]
    if unknown:
        _log.warning("samples of unknown devices", samples=counts.unknown_device, devices=unknown)
    told = {"recorded": count, "left_out": counts._asdict(), "unknown_devices": unknown}
    if counts.invalid or (counts.unknown_device and not count):
        return refused(400, "Bad Request", _sentence(count, counts, unknown), (position,))
    return Answer(json_body({**told, "status": 200}), 200, (position,), JSON)


def _called(all_series: Sequence[Series]) -> Sequence[Sequence[str]]:
    """What their devices may be called, each once."""
    return [devices for devices in {identity.devices for identity, _ in all_series} if any(devices)]


def _require_first_version(exchange: MetricExchange) -> None:
    """The second version says so, and is another message (415, upon which agents fall back)."""
    if "v2" in (exchange.header(b"content-type") or "").lower():
        raise RefusedError(refused(415, "Unsupported Media Type", "this is remote write 1.0, prometheus.WriteRequest"))
    if (encoding := exchange.header(b"content-encoding") or "snappy").strip().lower() != "snappy":
        raise RefusedError(refused(415, "Unsupported Media Type", f"content encoding must be snappy, not {encoding}"))


def _sentence(count: int, counts: Counts, unknown: list[str]) -> str:
    left_out = ", ".join(f"{number} {reason}" for reason, number in counts._asdict().items() if number)
    named = f"; unknown: {', '.join(name or '(no label device or instance)' for name in unknown)}" if unknown else ""
    return f"{count} samples recorded, left out: {left_out}{named}"
