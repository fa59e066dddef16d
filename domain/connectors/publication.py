"""A published connector: a service of somebody else's that speaks the connector protocol, as a type of its own
(contract connectors 2.7 and 5.6), and the numbers of such types."""

from collections.abc import Sequence
from typing import Final, Literal
from uuid import UUID

from msgspec.structs import replace

from domain.decider import Decider
from domain.errors import AlreadyExistsError, DomainError, NotFoundError
from domain.event import Event
from domain.value import State, Value

ValueType = Literal["STRING", "NUMBER", "BOOLEAN"]

# The types that come with us have the numbers below.
FIRST_NUMBER: Final = 6


class PublishedParameter(Value):
    """A setting that the service asks for. `validation` is a regular expression, empty for none."""

    id: str
    name: str
    value_type: ValueType = "STRING"
    required: bool = False
    validation: str = ""


class PublishedConnector(Value):
    """What its operator says of it."""

    type_id: str
    name: str
    description: str
    logo: str
    installation_url: str
    instance_url: str
    action_url: str
    installation_parameters: tuple[PublishedParameter, ...] = ()
    instance_parameters: tuple[PublishedParameter, ...] = ()


class ConnectorPublished(
    Event, topic="connectors.publication.published.v1", private=("connector", "public_key", "sealed_key")
):
    """`number` is its id among the descriptions; `public_key` is in standard Base64; the private one is encrypted."""

    owner: str
    type_id: str
    number: int
    connector: PublishedConnector
    public_key: str
    sealed_key: str


class InstanceAdded(Event, topic="connectors.publication.instance_added.v1"):
    instance_id: UUID


class InstanceDropped(Event, topic="connectors.publication.instance_dropped.v1"):
    instance_id: UUID


class ConnectorWithdrawn(Event, topic="connectors.publication.withdrawn.v1"):
    pass


class NumberGiven(Event, topic="connectors.numbers.given.v1"):
    """No number is given twice, so that what a client remembers of a description never means another one."""

    number: int
    type_id: str


class Publication(State):
    owner: str
    number: int
    connector: PublishedConnector
    public_key: str
    sealed_key: str
    instances: int = 0


class Numbers(State):
    next: int = FIRST_NUMBER


class PublicationNotFoundError(NotFoundError):
    code = "connectors.publication_not_found"


class TypeTakenError(AlreadyExistsError):
    code = "connectors.type_taken"


class PublicationInUseError(DomainError):
    code = "connectors.publication_in_use"


# Decide


def give_number(numbers: Numbers | None, type_id: str) -> Sequence[Event]:
    return (NumberGiven(number=(numbers or Numbers()).next, type_id=type_id),)


def publish(
    owner: str, number: int, connector: PublishedConnector, public_key: str, sealed_key: str
) -> Sequence[Event]:
    return (
        ConnectorPublished(
            owner=owner,
            type_id=connector.type_id,
            number=number,
            connector=connector,
            public_key=public_key,
            sealed_key=sealed_key,
        ),
    )


def add_instance(publication: Publication | None, instance_id: UUID) -> Sequence[Event]:
    if publication is None:
        raise PublicationNotFoundError("The connector was withdrawn.")
    return (InstanceAdded(instance_id=instance_id),)


def drop_instance(publication: Publication | None, instance_id: UUID) -> Sequence[Event]:
    return () if publication is None else (InstanceDropped(instance_id=instance_id),)


def withdraw(publication: Publication) -> Sequence[Event]:
    if publication.instances:
        raise PublicationInUseError("There are instances of the connector; remove them first.")
    return (ConnectorWithdrawn(),)


# Evolve


def evolve(publication: Publication | None, event: Event) -> Publication | None:
    match event, publication:
        case ConnectorPublished(), _:
            return Publication(
                owner=event.owner,
                number=event.number,
                connector=event.connector,
                public_key=event.public_key,
                sealed_key=event.sealed_key,
            )
        case InstanceAdded(), Publication():
            return replace(publication, instances=publication.instances + 1)
        case InstanceDropped(), Publication():
            return replace(publication, instances=publication.instances - 1)
        case ConnectorWithdrawn(), _:
            return None
    return publication


def evolve_numbers(numbers: Numbers | None, event: Event) -> Numbers | None:
    match event:
        case NumberGiven():
            return Numbers(next=event.number + 1)
    return numbers


PUBLICATION = Decider("connectors.publication", Publication, evolve)
NUMBERS = Decider("connectors.numbers", Numbers, evolve_numbers)
