"""The past of numeric metrics, on full grids (contract metrics 1.7)."""

import asyncio
import re
from contextlib import aclosing
from uuid import UUID

from domain.metrics import grid as grids
from domain.metrics.grid import DurationUnknownError, Grid, RangeReversedError
from entrypoints.exchange import Answer, position_headers
from entrypoints.metric_reporting.door import Door
from entrypoints.metric_reporting.errors import NOT_FOUND, RefusedError, bad_request, not_found
from entrypoints.metric_reporting.exchange import MetricExchange
from entrypoints.metric_reporting.points import Points
from entrypoints.metric_reporting.shown_ids import in_shown_order
from entrypoints.metric_reporting.views import JSON, json_text, read
from projections.as_of import clock
from projections.metrics.history import MetricHistory
from projections.metrics.history_queries import WHATS, What

# After so many devices others have their turn, and what is written goes out.
DEVICES_AT_A_TIME = 8

_NUMBER = re.compile(r"[+-]?[0-9]+")
_LARGEST = 2**63


async def list_names(door: Door, _: MetricExchange) -> Answer:
    seen = await door.see(MetricHistory.name)
    return read([{"id": name, "name": name} for name in await door.history.names()], seen)


async def list_device_names(door: Door, exchange: MetricExchange) -> Answer:
    seen = await door.see(MetricHistory.name)
    device = await _device(door, exchange)
    return read([{"id": name, "name": name} for name in await door.history.names(device)], seen)


async def show_device_history(door: Door, exchange: MetricExchange) -> Answer:
    now = int((await clock(door.clock)).timestamp())
    what = _what(exchange)
    try:
        grid = _grid(exchange, now)
    except RangeReversedError as reversed_range:
        raise bad_request(reversed_range.message) from None
    seen = await door.see(MetricHistory.name)
    device = await _device(door, exchange)
    values = await door.history.find(device, exchange.named["name"], grid, now, what)
    if values is None:
        raise not_found("Metric")
    return Answer(Points(grid).written(values) + b"\n", headers=position_headers(seen), type=JSON)


async def stream_history(door: Door, exchange: MetricExchange) -> Answer | None:
    """The metric of every device that ever had it: written device by device, because together they are large."""
    now = int((await clock(door.clock)).timestamp())
    what = _what(exchange)
    try:
        grid = _grid(exchange, now)
    except RangeReversedError:
        return Answer(b"[]\n", type=JSON)
    name = exchange.named["name"]
    seen = await door.see(MetricHistory.name)
    shown = await in_shown_order(door, await door.history.devices(name))
    headers = position_headers(seen)
    if not shown:
        return Answer(b"[]\n", headers=headers, type=JSON)
    points = Points(grid)
    leaving = asyncio.create_task(exchange.gone(), name="reader of a long history")
    try:
        waiting: list[bytes] = []
        before = b"["
        async with aclosing(door.history.over_devices(list(shown), name, grid, now, what)) as histories:
            async for device, values in histories:
                waiting += [before, b'{"id":', json_text(shown[device]), b',"values":', points.written(values), b"}"]
                before = b","
                if len(waiting) < DEVICES_AT_A_TIME * 6:
                    continue
                await _begin(exchange, headers)
                await exchange.write(b"".join(waiting))
                waiting.clear()
                await asyncio.sleep(0)
                if leaving.done():
                    return None
        await _begin(exchange, headers)
        await exchange.write(b"".join(waiting) + (b"[]\n" if before == b"[" else b"]\n"))
        await exchange.end()
    finally:
        leaving.cancel()
    return None


async def _begin(exchange: MetricExchange, headers: list[tuple[bytes, bytes]]) -> None:
    """Late, so that what goes wrong at first can still be answered."""
    if not exchange.has_begun:
        await exchange.begin(200, [(b"content-type", JSON), *headers])


async def _device(door: Door, exchange: MetricExchange) -> UUID:
    device = await door.directory.identify(exchange.named["device"])
    if device is None:
        raise not_found("Host")
    return device


def _grid(exchange: MetricExchange, now: int) -> Grid:
    """The points that the path asks for. Raises RefusedError (400) and RangeReversedError."""
    named = exchange.named
    if (duration := named.get("duration")) is not None:
        try:
            return grids.last(duration, now)
        except DurationUnknownError as unknown:
            raise bad_request(unknown.message) from None
    if named["start"] == "last" and "end" not in named:
        raise RefusedError(NOT_FOUND)  # never a time: the word is the beginning of another route
    start = _time(named["start"])
    return grids.between(start, _time(named["end"]) if "end" in named else now, now)


def _time(text: str) -> int:
    reason = ""
    if not _NUMBER.fullmatch(text):
        reason = "invalid syntax"
    elif len(text.lstrip("+-0")) > 19 or not -_LARGEST <= int(text) < _LARGEST:
        reason = "value out of range"
    if reason:
        raise bad_request(
            f"Time format '{text}' is not valid: {reason}. It should be integer number of seconds since the unix epoch."
        )
    return int(text)


def _what(exchange: MetricExchange) -> What:
    """Ours: `?statistic=` one of the four that are kept of each point."""
    asked = exchange.query.get("statistic", "average")
    for what in WHATS:
        if asked == what:
            return what
    raise bad_request(f"{asked} is not a valid statistic, try [{', '.join(WHATS)}]")
