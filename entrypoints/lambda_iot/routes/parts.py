"""What devices are made of. Sensors and actors have the same routes under paths and words of their own."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from uuid import UUID, uuid4

from litestar import Response, delete, get, post, put
from litestar.handlers import HTTPRouteHandler

from application.devices.part import KINDS, AddPart, CorrectPart, PartKind, RemovePart
from domain.devices.part import PartDescription
from entrypoints.lambda_iot import fields
from entrypoints.lambda_iot.bodies.parts import add_part_body, correct_part_body
from entrypoints.lambda_iot.door import AnyRequest, Door, door_of, origin_of
from entrypoints.lambda_iot.errors import BadRequestError, MissingError
from entrypoints.lambda_iot.views import answer, found, part_view, read
from projections.devices.directory import Directory, PartRow


class Shown(NamedTuple):
    """What tells the routes of one kind of part from those of the other."""

    kind: PartKind
    path: str
    list: Callable[[Directory], Awaitable[Sequence[PartRow]]]
    find: Callable[[Directory, UUID], Awaitable[PartRow | None]]


SENSORS = Shown("sensor", "/sensors", Directory.list_sensors, Directory.find_sensor)
ACTORS = Shown("actor", "/actors", Directory.list_actors, Directory.find_actor)


def routes_of(shown: Shown) -> Sequence[HTTPRouteHandler]:
    """The five routes of one kind of part."""
    kind, one = shown.kind, f"{shown.path}/{{id:str}}"

    @post(shown.path, name=f"create {kind}")
    async def create_part(request: AnyRequest) -> Response[bytes]:
        asked = add_part_body(await request.body())
        described = PartDescription(id=uuid4(), name=asked.name, type=asked.type, data_type_id=asked.data_type_id)
        command = AddPart(kind=kind, device_id=asked.device_id, described=described)
        receipt = await door_of(request).executor.execute(command, origin_of(request))
        return answer({"id": described.id}, 201, receipt.position)

    @get(shown.path, name=f"list {kind}s")
    async def list_parts(request: AnyRequest) -> Response[bytes]:
        door = door_of(request)
        seen = await door.positions.fresh("directory")
        return read(map(part_view, await shown.list(door.directory)), seen)

    @get(one, name=f"get {kind}")
    async def get_part(request: AnyRequest, id: str) -> Response[bytes]:
        door = door_of(request)
        part_id = fields.path_uuid(id, kind)
        seen = await door.positions.fresh("directory")
        return read(part_view(found(await shown.find(door.directory, part_id))), seen)

    @put(one, name=f"update {kind}")
    async def update_part(request: AnyRequest, id: str) -> Response[bytes]:
        """Any subset of the fields; none at all changes nothing."""
        door = door_of(request)
        part_id = fields.path_uuid(id, kind)
        try:
            told = correct_part_body(await request.body())
        except BadRequestError:
            await _require_in_service(door, kind, part_id)
            raise
        command = CorrectPart(kind=kind, part_id=part_id, told=told)
        receipt = await door.executor.execute(command, origin_of(request))
        return answer({"message": f"{kind} updated"}, position=receipt.position)

    @delete(one, name=f"delete {kind}", status_code=200)
    async def delete_part(request: AnyRequest, id: str) -> Response[bytes]:
        command = RemovePart(kind=kind, part_id=fields.path_uuid(id, kind))
        receipt = await door_of(request).executor.execute(command, origin_of(request))
        return answer({"message": f"{kind} deleted"}, position=receipt.position)

    return create_part, list_parts, get_part, update_part, delete_part


async def _require_in_service(door: Door, kind: PartKind, part_id: UUID) -> None:
    part = await door.executor.find(KINDS[kind].decider, part_id)
    if part is None or part.retired:
        raise MissingError


PROTECTED = (*routes_of(SENSORS), *routes_of(ACTORS))
