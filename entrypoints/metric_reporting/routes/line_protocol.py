"""InfluxDB's line protocol (beyond the contract): what Telegraf and many others send."""

from collections.abc import Mapping
from typing import NamedTuple
from uuid import UUID

from domain.metrics.report import Report
from entrypoints.exchange import Answer, Header
from entrypoints.metric_reporting.bodies.encoded import UnreadableError, plain
from entrypoints.metric_reporting.bodies.line_protocol import UNITS, Line, LineError, lines_in, reports_of
from entrypoints.metric_reporting.door import Door
from entrypoints.metric_reporting.exchange import MetricExchange
from entrypoints.metric_reporting.recording import BODY_SECONDS, LARGEST_BODY, aside, find_devices, grouped, record
from entrypoints.metric_reporting.views import JSON, json_body

# So many are told in words.
NAMED_LINES = 20


class _Meant(NamedTuple):
    """By the number of the line: its device and reports, or what is wrong with it."""

    good: dict[int, tuple[UUID, list[Report]]]
    wrong: dict[int, LineError]


async def write(door: Door, exchange: MetricExchange) -> Answer:
    """204 when every line is on disk. Else 400 with what is wrong with which line, in the words of InfluxDB, which
    agents look for: the other lines are on disk, and it is of no use to send all of it again."""
    seconds = UNITS.get(exchange.query.get("precision", ""))
    if seconds is None:
        return _refused(f"precision must be one of {', '.join(filter(None, UNITS))}")
    body = await exchange.body(LARGEST_BODY, BODY_SECONDS)
    try:
        lines = await aside(len(body), _read, body, exchange.header(b"content-encoding"))
    except UnreadableError as wrong:
        return _refused(str(wrong))
    called = {tuple([one.device for one in line.named]) for line in lines.values() if isinstance(line, Line)}
    devices = await find_devices(door, list(called))
    good, wrong_lines = await aside(len(body), _meant, lines, devices, seconds, door.clock().timestamp())
    sent = ((device, report) for device, reports in good.values() for report in reports)
    recorded = await record(door, exchange, grouped(sent))
    for number, (device, _) in good.items():
        if device not in recorded.devices:
            wrong_lines[number] = LineError("unknown device: it was removed just now")
    kept = sum(len(reports) for device, reports in good.values() if device in recorded.devices)
    door.observer.reported("line_protocol", "recorded", kept)
    door.observer.reported("line_protocol", "lines_refused", len(wrong_lines))
    return _answer(len(lines), wrong_lines, (b"tidemark-position", str(recorded.position).encode()))


def _read(body: bytes, encoding: str | None) -> Mapping[int, Line | LineError]:
    return lines_in(plain(body, encoding, LARGEST_BODY))


def _meant(lines: Mapping[int, Line | LineError], devices: Mapping[str, UUID], seconds: float, now: float) -> _Meant:
    meant = _Meant({}, {})
    for number, line in lines.items():
        if isinstance(line, LineError):
            meant.wrong[number] = line
            continue
        try:
            device, reports = reports_of(line, devices, seconds, now)
            meant.good[number] = devices[device], reports
        except LineError as wrong:
            meant.wrong[number] = wrong
    return meant


def _answer(count: int, wrong: Mapping[int, LineError], position: Header) -> Answer:
    if not wrong:
        return Answer(b"", 204, (position,), type=b"")
    told = [{"line": number, "error": str(wrong[number])} for number in sorted(wrong)]
    words = "\n".join([f"line {one['line']}: {one['error']}" for one in told[:NAMED_LINES]])
    what = "partial write: " if len(wrong) < count else ""
    error = f"{what}{words} dropped={len(wrong)}"
    return Answer(json_body({"error": error, "lines": told}), 400, (position,), JSON)


def _refused(error: str) -> Answer:
    return Answer(json_body({"error": error}), 400, type=JSON)
