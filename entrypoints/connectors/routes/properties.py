"""What the properties of things are now."""

from application.connectors.thing import UpdateProperty
from domain.connectors.properties import PropertyValue
from domain.connectors.thing import Component, Property
from entrypoints.connectors import errors
from entrypoints.connectors.bodies import thing as bodies
from entrypoints.connectors.door import Door
from entrypoints.connectors.errors import RefusedError
from entrypoints.connectors.exchange import ConnectorExchange, done, shown
from entrypoints.connectors.routes.things import component_of, owned
from entrypoints.connectors.views import property_view
from entrypoints.exchange import Answer


async def show_property(door: Door, exchange: ConnectorExchange) -> Answer:
    seen = await door.see_things()
    thing = await owned(door, exchange)
    component = component_of(thing, exchange)
    known = _property_of(component, exchange)
    values = await door.things.values(thing.id)
    return shown(property_view(known, values.get((component.id, known.id))), headers=tuple(seen))


async def update_property(door: Door, exchange: ConnectorExchange) -> Answer:
    """204, since the one client that is known takes nothing else (C11)."""
    value, moment = bodies.value(exchange.sent), bodies.moment(exchange.sent)
    await door.see_things()
    thing = await owned(door, exchange)
    component = component_of(thing, exchange)
    told = PropertyValue(
        component_id=component.id, property_id=_property_of(component, exchange).id, value=value, at=moment
    )
    updating = UpdateProperty(thing_id=thing.id, value=told)
    return done((await door.executor.execute(updating, exchange.origin)).position)


def _property_of(component: Component, exchange: ConnectorExchange) -> Property:
    named = exchange.named["property"]
    for known in component.properties:
        if known.id == named:
            return known
    raise RefusedError(errors.PROPERTY_NOT_FOUND)
