"""Things that services make, and what they tell of them."""

from uuid import UUID, uuid4

from application.connectors.thing import ChangeThingStatus, MakeThing, RemoveThing, UpdateProperty
from domain.connectors.properties import PropertyValue
from domain.connectors.thing import ThingDescription
from domain.identifiers import made_thing_id
from entrypoints.connectors import errors
from entrypoints.connectors.bodies import thing as bodies
from entrypoints.connectors.door import Door
from entrypoints.connectors.errors import RefusedError
from entrypoints.connectors.exchange import ConnectorExchange, at, done, shown
from entrypoints.connectors.hub.holders import caller, own_thing
from entrypoints.exchange import Answer

# Attributes by which a service may say what the foreign system calls a thing (contract connectors 5.6).
_FOREIGN_NAMES = ("connector_thing_id", "external_id")


async def make_thing(door: Door, exchange: ConnectorExchange) -> Answer:
    of = await caller(door, exchange)
    sent = (await exchange.read_object()).get("thing")
    if not isinstance(sent, dict):
        raise RefusedError(errors.BAD_REQUEST.saying("thing: is missing"))
    told = bodies.thing(sent)
    thing_id, connector_thing_id = _called(of.client_id, told.description)
    making = MakeThing(
        thing_id=thing_id,
        client_id=of.client_id,
        connector_thing_id=connector_thing_id,
        description=told.description,
        status=told.status,
        values=tuple(told.values),
    )
    receipt = await door.executor.execute(making, of.origin)
    return shown({"id": str(thing_id)}, 201, (at(receipt.position),))


async def update_property(door: Door, exchange: ConnectorExchange) -> Answer:
    of = await caller(door, exchange)
    sent = await exchange.read_object()
    told = PropertyValue(
        component_id=exchange.named["component"],
        property_id=exchange.named["property"],
        value=bodies.value(sent),
        at=bodies.moment(sent),
    )
    thing_id, _ = await own_thing(door, exchange, of)
    receipt = await door.executor.execute(UpdateProperty(thing_id=thing_id, value=told), of.origin)
    return done(receipt.position)


async def change_status(door: Door, exchange: ConnectorExchange) -> Answer:
    of = await caller(door, exchange)
    status = bodies.status(await exchange.read_object())
    thing_id, _ = await own_thing(door, exchange, of)
    receipt = await door.executor.execute(ChangeThingStatus(thing_id=thing_id, status=status), of.origin)
    return done(receipt.position)


async def remove_thing(door: Door, exchange: ConnectorExchange) -> Answer:
    of = await caller(door, exchange)
    thing_id, _ = await own_thing(door, exchange, of)
    receipt = await door.executor.execute(RemoveThing(thing_id=thing_id), of.origin)
    return done(receipt.position)


def _called(client_id: UUID, description: ThingDescription) -> tuple[UUID, str]:
    """What the foreign system calls it makes its id, so that making it again makes no other. The protocol has no place
    for that name but an attribute; without one every thing is new."""
    named = {attribute.name: attribute.value for attribute in description.attributes if attribute.value}
    for name in _FOREIGN_NAMES:
        if name in named:
            return made_thing_id(client_id, named[name]), named[name]
    id = uuid4()
    return id, str(id)
