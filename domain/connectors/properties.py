"""What the properties of things come to be. One stream per thing and day, one event per message, never replayed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.decider import Decider
from domain.event import Event
from domain.identifiers import VALUES_PER_EVENT
from domain.value import State, Value


class PropertyValue(Value):
    """Always a text (contract connectors 2.6). `at` is the time that the other side told; absent means that the time of
    recording stands for it."""

    component_id: str
    property_id: str
    value: str
    at: datetime | None = None


class PropertiesUpdated(Event, topic="connectors.properties.updated.v1"):
    thing_id: UUID
    values: tuple[PropertyValue, ...]


class Properties(State):
    """Nothing: a day of updates takes the next ones without looking back."""


# Decide


def update(thing_id: UUID, values: Sequence[PropertyValue]) -> Sequence[Event]:
    """One event for all that arrived together; more than an event's worth is cut."""
    return [
        PropertiesUpdated(thing_id=thing_id, values=tuple(values[start : start + VALUES_PER_EVENT]))
        for start in range(0, len(values), VALUES_PER_EVENT)
    ]


# Evolve


def evolve(state: Properties | None, event: Event) -> Properties | None:
    return state


PROPERTIES = Decider("connectors.properties", Properties, evolve, tail=0)
