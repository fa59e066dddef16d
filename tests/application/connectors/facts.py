"""Commands and ids of connectors, told once: an owner, her instance of a type, a client, and a lamp."""

from typing import Any
from uuid import UUID

from application.connectors.client import CreateClient
from application.connectors.instance import CreateInstance
from application.connectors.thing import EnterThing, MakeThing, UpdateProperties
from domain.connectors.client import Awaits
from domain.connectors.properties import PropertyValue
from domain.connectors.thing import Action, Component, Parameter, Property, ThingDescription, ThingStatus
from domain.identifiers import made_thing_id
from tests.facts import device_named

INSTANCE_ID, CLIENT_ID = device_named("instance"), device_named("client")
OWNER = "owner-1"

LAMP = ThingDescription(
    name="Lamp",
    manufacturer="Acme",
    display_type="LAMP",
    main_component_id="lamp",
    components=(
        Component(
            id="lamp",
            name="lamp",
            component_type="LAMP",
            properties=(
                Property(id="on", name="on", type="BOOLEAN"),
                Property(id="level", name="level", type="NUMBER", unit="%"),
                Property(id="mood", name="mood", type="STRING"),
            ),
            actions=(Action(id="setOn", parameters=(Parameter(name="on", type="BOOLEAN"),)),),
        ),
    ),
)


def value(property_id: str, text: str) -> PropertyValue:
    return PropertyValue(component_id="lamp", property_id=property_id, value=text)


def creating_instance(id: UUID = INSTANCE_ID, owner: str = OWNER, **configuration: Any) -> CreateInstance:
    return CreateInstance(instance_id=id, owner=owner, type_id="lamps", configuration=configuration)


def creating_client(
    id: UUID = CLIENT_ID,
    owner: str = OWNER,
    subject: str = "s1",
    awaits: Awaits = "worker",
    **configuration: Any,
) -> CreateClient:
    return CreateClient(
        client_id=id, owner=owner, subject=subject, type_id="lamps", configuration=configuration, awaits=awaits
    )


def thing_named(name: str, client: UUID = CLIENT_ID) -> UUID:
    return made_thing_id(client, name)


def making(
    name: str = "one",
    *values: PropertyValue,
    client: UUID = CLIENT_ID,
    description: ThingDescription = LAMP,
    status: ThingStatus = "AVAILABLE",
) -> MakeThing:
    return MakeThing(
        thing_id=thing_named(name, client),
        client_id=client,
        connector_thing_id=name,
        description=description,
        status=status,
        values=values,
    )


def entering(id: UUID, description: ThingDescription = LAMP) -> EnterThing:
    return EnterThing(thing_id=id, owner=OWNER, subject="s1", description=description)


def updating(**values: tuple[PropertyValue, ...]) -> UpdateProperties:
    return UpdateProperties(values={thing_named(name): told for name, told in values.items()})
