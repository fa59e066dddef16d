"""Readings as they come in, over SSE. The id of each event is the reading's, so that a client that comes back goes on
where it was: ids become visible in their order, hence everything after the last one seen is what was missed.
"""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
from litestar import get
from litestar.response import Stream

from application.ports import LogUnavailableError
from domain.identifiers import reading_id
from entrypoints.lambda_iot import fields
from entrypoints.lambda_iot.door import AnyRequest, Door, door_of
from entrypoints.lambda_iot.errors import BadRequestError
from entrypoints.lambda_iot.views import reading_view
from projections.devices.reading_queries import Followed, ReadingRow

# All that a subscriber who reads slowly costs. The next page is asked for when the last one is on its way.
PAGE = 500
SIGN_OF_LIFE_SECONDS = 15.0
# Between two looks of one subscriber: many subscribers must not ask for every single reading of a fleet.
PAUSE_SECONDS = 0.05
AWAY_SECONDS = 1.0

HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

_encode = msgspec.json.Encoder().encode


@get("/sensor-readings/stream")
async def stream_readings(request: AnyRequest) -> Stream:
    """What comes after now, or after `Last-Event-ID` (header, or `last_event_id` in the query)."""
    door = door_of(request)
    sensor_id = fields.query_uuid(request.query_params, "sensor_id", "sensor")
    last = _last_event_id(request)
    seen = await door.positions.fresh("readings")
    now = reading_id(seen.head + 1, 0) - 1
    after = now if last is None else min(last, now)
    return Stream(reading_events(door, sensor_id, after), headers=HEADERS)


async def reading_events(door: Door, sensor_id: UUID | None, after: int) -> AsyncIterator[bytes]:
    """What follows the reading `after`, until the process is to end or the client is gone."""
    # The id alone is no event, but a client that loses its connection before the first one comes back with it.
    yield f": readings follow\nretry: 3000\nid: {after}\n\n".encode()
    clock = asyncio.get_running_loop().time
    spoken = clock()
    while not door.stopping.is_set():
        moved, looked = door.positions.next_move, clock()
        rows, after, more = await _look(door, sensor_id, after)
        if rows:
            yield b"".join(map(_event, rows))
            spoken = clock()
        elif clock() - spoken >= SIGN_OF_LIFE_SECONDS:
            yield b": still here\n\n"
            spoken = clock()
        if more:
            continue
        await _wait(moved, door.stopping, spoken + SIGN_OF_LIFE_SECONDS - clock())
        await asyncio.sleep(max(0.0, looked + PAUSE_SECONDS - clock()))


async def _look(door: Door, sensor_id: UUID | None, after: int) -> Followed:
    try:
        return await door.readings.follow(sensor_id, after, PAGE)
    except LogUnavailableError:
        await asyncio.sleep(AWAY_SECONDS)
        return Followed((), after, more=True)


async def _wait(moved: asyncio.Event, stopping: asyncio.Event, seconds: float) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in (moved, stopping)]
    try:
        await asyncio.wait(waiting, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()


def _event(row: ReadingRow) -> bytes:
    return b"id: %d\nevent: reading\ndata: %s\n\n" % (row.id, _encode(reading_view(row)))


def _last_event_id(request: AnyRequest) -> int | None:
    text = request.headers.get("last-event-id", request.query_params.get("last_event_id"))
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= fields.MAX_READING_ID):
        raise BadRequestError("invalid Last-Event-ID")
    return int(text)


PROTECTED = (stream_readings,)
