"""A thing: what a client made of something in the foreign system, or what an app entered (contract connectors 2.6)."""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final, Literal
from uuid import UUID

from msgspec.structs import asdict, replace

from domain.decider import Decider
from domain.errors import InvalidError, NotFoundError
from domain.event import Event
from domain.value import State, Value

ThingStatus = Literal["AVAILABLE", "UNAVAILABLE", "UNKNOWN"]
PropertyType = Literal["NUMBER", "STRING", "BOOLEAN"]

STATUSES: Final[Collection[ThingStatus]] = ("AVAILABLE", "UNAVAILABLE", "UNKNOWN")
PROPERTY_TYPES: Final[Collection[PropertyType]] = ("NUMBER", "STRING", "BOOLEAN")

_ID = re.compile(r"[a-zA-Z0-9-_]{1,200}")


class Parameter(Value):
    name: str
    type: PropertyType


class Action(Value):
    """What can be asked of a component."""

    id: str
    name: str = ""
    parameters: tuple[Parameter, ...] = ()


class Property(Value):
    """What a component has a value of. Values are told apart from it, since they change all the time."""

    id: str
    name: str
    type: PropertyType
    unit: str = ""
    property_type: str = ""


class Component(Value):
    id: str
    name: str
    component_type: str
    capabilities: tuple[str, ...] = ()
    properties: tuple[Property, ...] = ()
    actions: tuple[Action, ...] = ()


class Attribute(Value):
    name: str
    value: str


class ThingDescription(Value):
    """Everything that a thing is, but for its values and whether it is there."""

    name: str
    manufacturer: str
    display_type: str
    main_component_id: str
    components: tuple[Component, ...]
    attributes: tuple[Attribute, ...] = ()


class ThingMade(Event, topic="connectors.thing.made.v2", personal=("subject",)):
    """`client_id` is absent for a thing that an app entered. The foreign system calls it `connector_thing_id`. A thing
    is recorded on a stream of its own beside the device's, hence every event names it. `person` is None where it was
    made before persons had keys."""

    person: UUID | None
    thing_id: UUID
    owner: str
    subject: str
    connector_thing_id: str
    description: ThingDescription
    status: ThingStatus
    client_id: UUID | None = None


class ThingMadeV1(Event, topic="connectors.thing.made.v1", personal=("subject",)):
    """As it was before persons had keys."""

    thing_id: UUID
    owner: str
    subject: str
    connector_thing_id: str
    description: ThingDescription
    status: ThingStatus
    client_id: UUID | None = None

    def upcast(self) -> ThingMade:
        return ThingMade(person=None, **asdict(self))


class ThingRedescribed(Event, topic="connectors.thing.redescribed.v1"):
    thing_id: UUID
    description: ThingDescription


class ThingStatusChanged(Event, topic="connectors.thing.status_changed.v1"):
    thing_id: UUID
    status: ThingStatus


class ThingRemoved(Event, topic="connectors.thing.removed.v1"):
    thing_id: UUID


class Thing(State, personal=("subject",)):
    person: UUID | None
    id: UUID
    owner: str
    subject: str
    connector_thing_id: str
    description: ThingDescription
    status: ThingStatus
    client_id: UUID | None = None


class ThingNotFoundError(NotFoundError):
    code = "connectors.thing_not_found"


class PropertyNotFoundError(NotFoundError):
    code = "connectors.property_not_found"


class ActionNotFoundError(NotFoundError):
    code = "connectors.action_not_found"


class ThingInvalidError(InvalidError):
    """The description is none of a thing; the message names the part that is wrong."""

    code = "connectors.thing_invalid"


# Decide


def make(
    thing: Thing | None,
    person: UUID | None,
    thing_id: UUID,
    owner: str,
    subject: str,
    client_id: UUID | None,
    connector_thing_id: str,
    description: ThingDescription,
    status: ThingStatus,
) -> Sequence[Event]:
    """Making it again describes it anew (contract 2.6)."""
    check(description)
    if thing is None:
        made = ThingMade(
            person=person,
            thing_id=thing_id,
            owner=owner,
            subject=subject,
            client_id=client_id,
            connector_thing_id=connector_thing_id,
            description=description,
            status=status,
        )
        return (made,)
    redescribed = (
        () if thing.description == description else (ThingRedescribed(thing_id=thing.id, description=description),)
    )
    return (*redescribed, *change_status(thing, status))


def change_status(thing: Thing, status: ThingStatus) -> Sequence[Event]:
    return () if thing.status == status else (ThingStatusChanged(thing_id=thing.id, status=status),)


def remove(thing: Thing | None) -> Sequence[Event]:
    return () if thing is None else (ThingRemoved(thing_id=thing.id),)


def check(description: ThingDescription) -> None:
    """The rules of the connectors' own kit (contract 2.6). Raises ThingInvalidError."""
    if not description.display_type:
        raise ThingInvalidError("displayType must not be empty.")
    if not description.main_component_id:
        raise ThingInvalidError("mainComponentId must not be empty.")
    if not description.components:
        raise ThingInvalidError("A thing has at least one component.")
    _check_ids("component", [component.id for component in description.components])
    if all(component.id != description.main_component_id for component in description.components):
        raise ThingInvalidError("There is no component of the id that mainComponentId names.")
    for component in description.components:
        if not component.component_type:
            raise ThingInvalidError(f"componentType of {component.id!r} must not be empty.")
        if not component.properties and not component.actions:
            raise ThingInvalidError(f"Component {component.id!r} has neither a property nor an action.")
        _check_ids("property", [property.id for property in component.properties])
        _check_ids("action", [action.id for action in component.actions])


def _check_ids(what: str, ids: Sequence[str]) -> None:
    for id in ids:
        if not _ID.fullmatch(id):
            raise ThingInvalidError(f"{id!r} cannot be the id of a {what}: letters, digits, - and _, 1 to 200 of them.")
    if len({id.casefold() for id in ids}) != len(ids):
        raise ThingInvalidError(f"Two of one {what} have the same id.")


def find_property(thing: Thing, component_id: str, property_id: str) -> Property | None:
    return next(
        (known for component, known in properties(thing) if (component.id, known.id) == (component_id, property_id)),
        None,
    )


def find_action(thing: Thing, component_id: str, action_id: str) -> Action | None:
    for component in thing.description.components:
        if component.id == component_id:
            return next((action for action in component.actions if action.id == action_id), None)
    return None


def properties(thing: Thing) -> Iterator[tuple[Component, Property]]:
    for component in thing.description.components:
        for known in component.properties:
            yield component, known


# Evolve


def evolve(thing: Thing | None, event: Event) -> Thing | None:
    match event, thing:
        case ThingMade(), _:
            return Thing(
                person=event.person,
                id=event.thing_id,
                owner=event.owner,
                subject=event.subject,
                client_id=event.client_id,
                connector_thing_id=event.connector_thing_id,
                description=event.description,
                status=event.status,
            )
        case ThingRedescribed(), Thing():
            return replace(thing, description=event.description)
        case ThingStatusChanged(), Thing():
            return replace(thing, status=event.status)
        case ThingRemoved(), _:
            return None
    return thing


THING = Decider("connectors.thing", Thing, evolve)
