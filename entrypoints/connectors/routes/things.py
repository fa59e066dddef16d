"""The things of an owner's subject."""

from uuid import uuid4

from application.connectors.thing import ChangeThingStatus, EnterThing, RemoveThing
from domain.connectors.thing import Component
from entrypoints.connectors import errors
from entrypoints.connectors.bodies import thing as bodies
from entrypoints.connectors.door import Door
from entrypoints.connectors.errors import RefusedError
from entrypoints.connectors.exchange import ConnectorExchange, at, done, shown
from entrypoints.connectors.views import component_view, link, thing_href, thing_view
from entrypoints.exchange import Answer
from projections.connectors.thing_queries import ThingRow


async def list_things(door: Door, exchange: ConnectorExchange) -> Answer:
    seen = await door.see_things()
    ids = await door.things.list(exchange.owner, exchange.subject)
    return shown([link(thing_href(exchange, id)) for id in ids], headers=tuple(seen))


async def enter_thing(door: Door, exchange: ConnectorExchange) -> Answer:
    """One that no client makes."""
    told = bodies.thing(exchange.sent)
    entering = EnterThing(
        thing_id=uuid4(),
        owner=exchange.owner,
        subject=exchange.subject,
        description=told.description,
        status=told.status,
        values=tuple(told.values),
    )
    receipt = await door.executor.execute(entering, exchange.origin)
    id = str(entering.thing_id)
    location = (b"location", thing_href(exchange, entering.thing_id).encode())
    # Both ways to write it are read by somebody (C10).
    return shown({"Id": id, "id": id}, 201, (at(receipt.position), location))


async def show_thing(door: Door, exchange: ConnectorExchange) -> Answer:
    seen = await door.see_things()
    return shown(thing_view(exchange, await owned(door, exchange)), headers=tuple(seen))


async def show_component(door: Door, exchange: ConnectorExchange) -> Answer:
    seen = await door.see_things()
    thing = await owned(door, exchange)
    return shown(component_view(exchange, thing, component_of(thing, exchange)), headers=tuple(seen))


async def change_status(door: Door, exchange: ConnectorExchange) -> Answer:
    status = bodies.status(exchange.sent)
    await door.see_things()
    thing = await owned(door, exchange)
    changing = ChangeThingStatus(thing_id=thing.id, status=status)
    return done((await door.executor.execute(changing, exchange.origin)).position)


async def remove_thing(door: Door, exchange: ConnectorExchange) -> Answer:
    """One that a client makes comes again if the client makes it again."""
    await door.see_things()
    thing = await owned(door, exchange)
    receipt = await door.executor.execute(RemoveThing(thing_id=thing.id), exchange.origin)
    return done(receipt.position, 200)


async def owned(door: Door, exchange: ConnectorExchange) -> ThingRow:
    """Another owner's, or another subject's, is as good as none."""
    known = await door.things.find(exchange.named_id("thing", errors.THING_NOT_FOUND))
    if known is None or (known.owner, known.subject) != (exchange.owner, exchange.subject):
        raise RefusedError(errors.THING_NOT_FOUND)
    return known


def component_of(thing: ThingRow, exchange: ConnectorExchange) -> Component:
    named = exchange.named["component"]
    for component in thing.description.components:
        if component.id == named:
            return component
    raise RefusedError(errors.COMPONENT_NOT_FOUND)
