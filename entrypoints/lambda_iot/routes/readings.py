"""What devices measured, one by one and in lists."""

from litestar import Response, delete, get, post, put

from application.devices.reading import CorrectReading, RemoveReading
from application.devices.readings import RecordReading
from domain.devices.reading import Measurement, RecordedReading
from domain.identifiers import reading_id
from entrypoints.lambda_iot import fields
from entrypoints.lambda_iot.bodies.readings import correct_reading_body, record_reading_body
from entrypoints.lambda_iot.door import AnyRequest, Door, door_of, origin_of
from entrypoints.lambda_iot.errors import MissingError
from entrypoints.lambda_iot.reading_list import BucketsAsked, LatestAsked, cursor_after, readings_asked
from entrypoints.lambda_iot.tables import table
from entrypoints.lambda_iot.views import answer, found, freshness, read, reading_version_view, reading_view
from projections.devices.reading_queries import Place, ReadingRow


@post("/sensor-readings")
async def create_reading(request: AnyRequest) -> Response[bytes]:
    reading = record_reading_body(await request.body())
    receipt = await door_of(request).executor.execute(RecordReading(reading=reading), origin_of(request))
    return answer({"id": reading_id(receipt.first, 0)}, 201, receipt.position)


@get("/sensor-readings")
async def list_readings(request: AnyRequest) -> Response[bytes]:
    """JSON or CSV. A page that is not the last says in `Tidemark-Next-Cursor` where the next begins."""
    door = door_of(request)
    asked = readings_asked(request.query_params)
    seen = await door.positions.fresh("readings")
    headers = freshness(seen)
    if isinstance(asked, BucketsAsked):
        buckets = await door.readings.buckets(asked.within, asked.width, asked.aggregates, asked.limit, asked.order)
        columns = ("sensor_id", "bucket", *asked.aggregates)
        return table(request, columns, [(asked.within.sensor_id, *bucket) for bucket in buckets], headers)
    if isinstance(asked, LatestAsked):
        rows = await door.readings.latest(asked.within.sensor_id, asked.limit, asked.order)
        return table(request, ReadingRow._fields, rows, headers)
    rows = await door.readings.list(
        asked.within, asked.limit + 1, asked.page * asked.limit, order=asked.order, after=asked.after
    )
    if len(rows) > asked.limit:
        rows = rows[: asked.limit]
        headers["Tidemark-Next-Cursor"] = cursor_after(Place(rows[-1].value_at, rows[-1].id))
    return table(request, ReadingRow._fields, rows, headers)


@get("/sensor-readings/{id:str}")
async def get_reading(request: AnyRequest, id: str) -> Response[bytes]:
    door = door_of(request)
    number = fields.path_reading_id(id)
    seen = await door.positions.fresh("readings")
    return read(reading_view(found(await door.readings.find(number))), seen)


@put("/sensor-readings/{id:str}")
async def correct_reading(request: AnyRequest, id: str) -> Response[bytes]:
    door = door_of(request)
    recorded = await _recorded(door, fields.path_reading_id(id))
    asked = correct_reading_body(await request.body())
    command = CorrectReading(recorded=recorded, value=asked.value, value_at=asked.value_at)
    receipt = await door.executor.execute(command, origin_of(request))
    return answer({"message": "sensor reading updated"}, position=receipt.position)


@delete("/sensor-readings/{id:str}", status_code=200)
async def remove_reading(request: AnyRequest, id: str) -> Response[bytes]:
    door = door_of(request)
    recorded = await _recorded(door, fields.path_reading_id(id))
    receipt = await door.executor.execute(RemoveReading(recorded=recorded), origin_of(request))
    return answer({"message": "sensor reading deleted"}, position=receipt.position)


@get("/sensor-readings/{id:str}/history")
async def get_reading_history(request: AnyRequest, id: str) -> Response[bytes]:
    """Every version, the oldest first, also of a reading that is gone."""
    door = door_of(request)
    number = fields.path_reading_id(id)
    seen = await door.positions.fresh("readings")
    versions = await door.readings.history(number)
    if not versions:
        raise MissingError
    return read(map(reading_version_view, versions), seen)


async def _recorded(door: Door, id: int) -> RecordedReading:
    """The reading as the read model has it. Raises MissingError when it is not, or no longer, there."""
    await door.positions.fresh("readings")
    row = found(await door.readings.find(id))
    return RecordedReading(
        id=row.id, sensor_id=row.sensor_id, measurement=Measurement(value=row.value, value_at=row.value_at)
    )


PROTECTED = (create_reading, list_readings, get_reading, correct_reading, remove_reading, get_reading_history)
