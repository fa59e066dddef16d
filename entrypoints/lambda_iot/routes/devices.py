"""The registry of devices."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

from litestar import Response, delete, get, post, put

from application.command import Receipt
from application.devices.device import CorrectDevice, RegisterDevice, RemoveDevice
from domain.devices.device import DEVICE
from entrypoints.lambda_iot import fields
from entrypoints.lambda_iot.bodies.devices import correct_device_body, register_device_body
from entrypoints.lambda_iot.door import AnyRequest, door_of, origin_of, require_token
from entrypoints.lambda_iot.errors import BadRequestError
from entrypoints.lambda_iot.lines import LARGEST_BODY, Line, answer_lines, lines
from entrypoints.lambda_iot.views import answer, device_view, found, read


@get("/devices")
async def list_devices(request: AnyRequest) -> Response[bytes]:
    door = door_of(request)
    seen = await door.positions.fresh("directory")
    return read(map(device_view, await door.directory.list_devices()), seen)


@post("/devices", before_request=require_token)
async def create_device(request: AnyRequest) -> Response[bytes]:
    command = _register_device(await request.body())
    receipt = await door_of(request).executor.execute(command, origin_of(request))
    return answer({"id": command.device_id}, 201, receipt.position)


@post("/devices/batch", status_code=200, request_max_body_size=LARGEST_BODY)
async def create_devices(request: AnyRequest) -> Response[bytes]:
    """A device for every line, each taken or refused on its own; most of them share one sync of the disk."""
    executor, origin = door_of(request).executor, origin_of(request)

    async def create(line: Line) -> tuple[UUID, Receipt]:
        command = _register_device(line)
        return command.device_id, await executor.execute(command, origin)

    form, items = lines(await request.body(), request.headers.get("content-type", ""))
    outcomes = await asyncio.gather(*map(create, items), return_exceptions=True)
    results: list[Any] = []
    position = 0
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            results.append(outcome)
        else:
            id, receipt = outcome
            results.append({"id": id})
            position = max(position, receipt.position)
    return answer_lines(form, results, position)


@get("/devices/{id:str}")
async def get_device(request: AnyRequest, id: str) -> Response[bytes]:
    door = door_of(request)
    device_id = fields.path_uuid(id, "device")
    seen = await door.positions.fresh("directory")
    row = await door.directory.find_device(device_id)
    return read(device_view(found(row)), seen)


@put("/devices/{id:str}")
async def update_device(request: AnyRequest, id: str) -> Response[bytes]:
    """Any subset of the fields; none at all changes nothing."""
    door = door_of(request)
    device_id = fields.path_uuid(id, "device")
    try:
        told = correct_device_body(await request.body())
    except BadRequestError:
        found(await door.executor.find(DEVICE, device_id))
        raise
    receipt = await door.executor.execute(CorrectDevice(device_id=device_id, told=told), origin_of(request))
    return answer({"message": "device updated"}, position=receipt.position)


@delete("/devices/{id:str}", status_code=200)
async def delete_device(request: AnyRequest, id: str) -> Response[bytes]:
    """The device with its sensors, its actors and what they measured."""
    command = RemoveDevice(device_id=fields.path_uuid(id, "device"))
    receipt = await door_of(request).executor.execute(command, origin_of(request))
    return answer({"message": "device deleted"}, position=receipt.position)


def _register_device(body: Line) -> RegisterDevice:
    asked = register_device_body(body)
    return RegisterDevice(
        device_id=uuid4(),
        name=asked.name,
        description=asked.description,
        location=asked.location,
        status=asked.status_id,
        external_id=asked.external_id,
    )


# A path belongs to one router, so what shares the path of the public list asks for the token itself.
PUBLIC = (list_devices, create_device)
PROTECTED = (create_devices, get_device, update_device, delete_device)
