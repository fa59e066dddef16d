"""What an owner has configured of each technology."""

from uuid import UUID, uuid4

from application.connectors.connector_type import AskingType, InstanceSettings, OutageError, RefusedError, asks
from application.connectors.instance import CreateInstance, RecordInstallation, RemoveInstance
from application.connectors.records import InstanceRecord, SealBrokenError
from entrypoints.connectors import errors
from entrypoints.connectors.bodies.configured import configured
from entrypoints.connectors.door import Door
from entrypoints.connectors.exchange import ConnectorExchange, at, done, shown
from entrypoints.connectors.routes.descriptions import number_of
from entrypoints.connectors.views import client_href, description_href, instance_href, link
from entrypoints.exchange import Answer


async def list_instances(door: Door, exchange: ConnectorExchange) -> Answer:
    seen = await door.see_connectors()
    ids = await door.connectors.list_instances(exchange.owner)
    return shown([link(instance_href(exchange, id)) for id in ids], headers=tuple(seen))


async def create_instance(door: Door, exchange: ConnectorExchange) -> Answer:
    asked = configured(exchange.sent)
    connector = await door.find_type(asked.connector_type_id)
    if connector is None:
        raise errors.RefusedError(errors.UNKNOWN_CONNECTOR_TYPE)
    checked = connector.check_instance(asked.configuration)
    built_in = asked.connector_type_id in door.types.built_in
    publication = None if built_in else await door.connectors.find_publication(asked.connector_type_id)
    asking = asks(connector)
    creating = CreateInstance(
        instance_id=uuid4(),
        owner=exchange.owner,
        type_id=asked.connector_type_id,
        configuration=dict(checked.open),
        sealed=door.types.seal(checked),
        publication_id=publication.id if publication else None,
        installed=asking is None,
    )
    position = (await door.executor.execute(creating, exchange.origin)).position
    if asking is not None:
        position = await _installed(door, exchange, asking, creating) or position
    id = creating.instance_id
    headers = (at(position), (b"location", instance_href(exchange, id).encode()))
    return shown({"id": str(id), **checked.told}, 201, headers)


async def _installed(
    door: Door, exchange: ConnectorExchange, asking: AskingType, created: CreateInstance
) -> int | None:
    """Asks the service, which may call back before it answers, and says where its answer is recorded. If it refuses,
    nothing is kept; while it cannot be reached there is nothing to record, and the worker asks again."""
    settings = door.types.settings_of_instance(
        created.instance_id, created.owner, created.configuration, created.sealed
    )
    try:
        taken = await asking.take_instance(settings)
    except RefusedError as refused:
        removing = RemoveInstance(instance_id=created.instance_id, owner=created.owner)
        await door.executor.execute(removing, exchange.origin)
        raise errors.RefusedError(errors.INVALID_CONFIGURATION.saying(str(refused))) from refused
    except OutageError:
        return None
    told = RecordInstallation(instance_id=created.instance_id, step=taken.step, content=taken.content)
    return (await door.executor.execute(told, exchange.origin)).position


async def show_instance(door: Door, exchange: ConnectorExchange) -> Answer:
    """All its clients, over all subjects. What it is configured with is shown to nobody."""
    seen = await door.see_connectors()
    known = await _owned(door, exchange)
    clients = await door.connectors.clients_of_instance(known.id)
    view = {
        "id": str(known.id),
        "clients": [link(client_href(exchange, id)) for id in clients],
        "connector": link(description_href(exchange, await number_of(door, known.type_id))),
    }
    return shown(view, headers=tuple(seen))


async def remove_instance(door: Door, exchange: ConnectorExchange) -> Answer:
    await door.see_connectors()
    known = await _owned(door, exchange)
    left = await _service_of(door, known)
    removing = RemoveInstance(instance_id=known.id, owner=exchange.owner)
    receipt = await door.executor.execute(removing, exchange.origin)
    if left is not None:
        asking, settings = left
        await asking.drop_instance(settings)
    return done(receipt.position)


async def _service_of(door: Door, known: InstanceRecord) -> tuple[AskingType, InstanceSettings] | None:
    """Whom to tell that it is gone, and what of. Nobody, when its secrets cannot be opened any more: that is what it
    is removed for."""
    try:
        connector = await door.find_type(known.type_id)
        asking = asks(connector) if connector is not None else None
        return (asking, door.types.instance_settings(known)) if asking is not None else None
    except SealBrokenError:
        return None


async def _owned(door: Door, exchange: ConnectorExchange) -> InstanceRecord:
    id: UUID = exchange.named_id("instance", errors.INSTANCE_NOT_FOUND)
    known = await door.connectors.find_instance(id)
    if known is None or known.owner != exchange.owner:
        raise errors.RefusedError(errors.INSTANCE_NOT_FOUND)
    return known
