"""Very many readings in one request, a result for each.

They are recorded some thousands at a time, each of these in one command: one command for all would keep everybody
else waiting while it is decided, one for each reading would take ten times as long.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import repeat
from typing import Any

from litestar import Response, post

from application.command import Receipt
from application.devices.readings import RecordReadings, recorded_ids
from application.executor import CommandConflictError, CommandExecutor, OutcomeUnknownError, Overloaded
from application.ports import LogUnavailableError
from domain.devices.readings import Reading
from domain.event import Origin
from entrypoints.lambda_iot.bodies.readings import record_reading_line
from entrypoints.lambda_iot.door import AnyRequest, door_of, origin_of
from entrypoints.lambda_iot.errors import BUSY, OUTCOME_UNKNOWN, UNAVAILABLE, BadRequestError
from entrypoints.lambda_iot.lines import LARGEST_BODY, Line, answer_lines, lines

MOST_READINGS = 100_000
TOGETHER = 4_096

_NOT_FOUND = {"error": "sensor not found"}

_Line = Reading | BadRequestError


@post("/sensor-readings/batch", status_code=200, request_max_body_size=LARGEST_BODY)
async def create_readings(request: AnyRequest) -> Response[bytes]:
    """A JSON array or NDJSON; `{"id": n}` or `{"error": …}` for each line. What goes wrong when some are stored
    already is told on the lines that are not; before that it is the answer."""
    executor, origin = door_of(request).executor, origin_of(request)
    form, items = lines(await request.body(), request.headers.get("content-type", ""), MOST_READINGS)
    results: list[Any] = []
    position = 0
    async for together, outcome in _recorded(executor, origin, items):
        if isinstance(outcome, Exception):
            if not position:
                raise outcome
            results += [one if isinstance(one, BadRequestError) else {"error": _text(outcome)} for one in together]
            # What comes after it would have to wait for the same thing, and nothing of it is stored.
            results += repeat({"error": UNAVAILABLE}, len(items) - len(results))
            break
        position = max(position, outcome.position)
        ids = {sensor_id: iter(found) for sensor_id, found in recorded_ids(outcome).items()}
        results += [_result(one, ids) for one in together]
    return answer_lines(form, results, position)


async def _recorded(
    executor: CommandExecutor, origin: Origin, items: Sequence[Line]
) -> AsyncIterator[tuple[Sequence[_Line], Receipt | Exception]]:
    """Some thousand lines at a time, and what became of them. While some are being written, the next are read."""
    writing: tuple[Sequence[_Line], asyncio.Task[Receipt | Exception]] | None = None
    for start in range(0, len(items), TOGETHER):
        together = [_line(item) for item in items[start : start + TOGETHER]]
        if writing:
            yield writing[0], await writing[1]
        readings = tuple([one for one in together if isinstance(one, Reading)])
        writing = together, asyncio.create_task(_written(executor, origin, readings))
        await asyncio.sleep(0)
    if writing:
        yield writing[0], await writing[1]


async def _written(executor: CommandExecutor, origin: Origin, readings: tuple[Reading, ...]) -> Receipt | Exception:
    if not readings:
        return Receipt(None, 0, 0)
    try:
        return await executor.execute(RecordReadings(readings=readings), origin)
    except (LogUnavailableError, CommandConflictError, Overloaded) as fault:
        return fault


def _line(item: Line) -> _Line:
    try:
        return record_reading_line(item)
    except BadRequestError as refusal:
        return refusal


def _result(one: _Line, ids: dict[Any, Iterator[int]]) -> Any:
    if isinstance(one, BadRequestError):
        return one
    found = ids.get(one.sensor_id)
    return _NOT_FOUND if found is None else {"id": next(found)}


def _text(fault: Exception) -> str:
    if isinstance(fault, OutcomeUnknownError):
        return OUTCOME_UNKNOWN
    return UNAVAILABLE if isinstance(fault, LogUnavailableError) else BUSY


PROTECTED: Sequence[Any] = (create_readings,)
