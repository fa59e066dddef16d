"""What devices are asked for over MQTT. 202 and 200 are given only after the broker took the message."""

from uuid import UUID, uuid4

from litestar import Response, get, post

from application.devices.command import IssueCommand
from domain.decider import Decider
from domain.devices.actor import ACTOR
from domain.devices.part import Part
from domain.devices.sensor import SENSOR
from entrypoints.lambda_iot import fields
from entrypoints.lambda_iot.bodies.commands import trigger_sensor_body, write_actor_body
from entrypoints.lambda_iot.door import AnyRequest, Door, door_of, origin_of
from entrypoints.lambda_iot.errors import MissingError
from entrypoints.lambda_iot.views import answer, command_view, found, read


@post("/sensors/{id:str}/trigger")
async def trigger_sensor(request: AnyRequest, id: str) -> Response[bytes]:
    door = door_of(request)
    sensor_id = fields.path_uuid(id, "sensor")
    await _require(door, SENSOR, sensor_id)
    action = trigger_sensor_body(await request.body())
    return await _send(request, IssueCommand(command_id=uuid4(), kind="trigger", part_id=sensor_id, action=action))


@post("/actors/{id:str}/write")
async def write_actor(request: AnyRequest, id: str) -> Response[bytes]:
    door = door_of(request)
    actor_id = fields.path_uuid(id, "actor")
    await _require(door, ACTOR, actor_id)
    asked = write_actor_body(await request.body())
    command = IssueCommand(command_id=uuid4(), kind="write", part_id=actor_id, action=asked.action, value=asked.value)
    return await _send(request, command)


@get("/mqttping")
async def ping_devices(request: AnyRequest) -> Response[bytes]:
    door = door_of(request)
    return answer({"timestamp": await door.dispatcher.ping(), "topic": door.mqtt_topic})


@get("/devices/{id:str}/commands")
async def list_commands(request: AnyRequest, id: str) -> Response[bytes]:
    """Ours, beyond the documented contract: what was asked of the device, by whom, and what came of it."""
    door = door_of(request)
    device_id = fields.path_uuid(id, "device")
    await door.positions.fresh("directory")
    found(await door.directory.find_device(device_id))
    limit = fields.query_limit(request.query_params)
    seen = await door.positions.fresh("device_commands")
    return read(map(command_view, await door.commands.list(device_id, limit)), seen)


async def _require(door: Door, decider: Decider[Part], id: UUID) -> None:
    """In the order of checks the row comes before the body. The decision looks again."""
    part = await door.executor.find(decider, id)
    if part is None or part.retired:
        raise MissingError


async def _send(request: AnyRequest, command: IssueCommand) -> Response[bytes]:
    door = door_of(request)
    position = await door.dispatcher.send(command, origin_of(request))
    return answer({"status": "published", "topic": door.mqtt_topic}, 202, position)


PROTECTED = (trigger_sensor, write_actor, ping_devices, list_commands)
