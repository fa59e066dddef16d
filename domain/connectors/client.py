"""A connector client: the running piece that makes the things of one end customer (contract connectors 2.5)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal
from uuid import UUID

from msgspec import field
from msgspec.structs import asdict, replace

from domain.decider import Decider
from domain.errors import AlreadyExistsError, DomainError, InvalidError, NotFoundError
from domain.event import Event
from domain.value import State

Status = Literal["STARTING", "STARTED", "ERROR"]
Awaits = Literal["worker", "service", "user"]

# Of one client.
MOST_THINGS: Final = 10_000


class ClientCreated(
    Event,
    topic="connectors.client.created.v2",
    private=("configuration", "sealed"),
    personal=("subject", "configuration", "sealed"),
):
    """`awaits` says who is to move next: the `worker` that runs it, the remote `service` that is being asked to take
    it, or the `user` who has to visit a page. `configuration` is what may be read, `sealed` the secrets, encrypted.
    `person` is None where it was created before persons had keys."""

    person: UUID | None
    owner: str
    subject: str
    type_id: str
    instance_id: UUID
    configuration: dict[str, Any] = field(default_factory=dict)
    sealed: str = ""
    awaits: Awaits = "worker"


class ClientCreatedV1(
    Event, topic="connectors.client.created.v1", private=("configuration", "sealed"), personal=("subject",)
):
    """As it was before persons had keys."""

    owner: str
    subject: str
    type_id: str
    instance_id: UUID
    configuration: dict[str, Any]
    sealed: str = ""
    awaits: Awaits = "worker"

    def upcast(self) -> ClientCreated:
        return ClientCreated(person=None, **asdict(self))


class ClientRedirected(Event, topic="connectors.client.redirected.v1", private=("location",)):
    """The service wants the end customer to visit a page first."""

    location: str


class ClientAdmitted(Event, topic="connectors.client.admitted.v1"):
    """The service has taken it, or the user has agreed: it can be run."""


class ClientResumed(Event, topic="connectors.client.resumed.v1"):
    """It is started again, after an error or because the process that ran it is gone."""

    reason: str


class ClientStarted(Event, topic="connectors.client.started.v1"):
    """It has reached the other side."""


class ClientFailed(Event, topic="connectors.client.failed.v1"):
    """It does not work, for a reason that time alone does not mend, or for too long."""

    reason: str


class ClientThingGained(Event, topic="connectors.client.thing_gained.v1"):
    thing_id: UUID


class ClientThingLost(Event, topic="connectors.client.thing_lost.v1"):
    thing_id: UUID


class ClientRemovalRefused(Event, topic="connectors.client.removal_refused.v1"):
    """It was to be removed, and one of its things would not go. It goes on."""

    reason: str


class ClientRemoved(Event, topic="connectors.client.removed.v1"):
    """It is gone, and everything it made with it."""


class Client(State, personal=("subject", "configuration", "sealed")):
    """`things` are those it made, the oldest first."""

    person: UUID | None
    owner: str
    subject: str
    type_id: str
    instance_id: UUID
    configuration: dict[str, Any] = field(default_factory=dict)
    sealed: str = ""
    awaits: Awaits = "worker"
    status: Status = "STARTING"
    things: tuple[UUID, ...] = ()


class ClientNotFoundError(NotFoundError):
    code = "connectors.client_not_found"


class ClientExistsError(AlreadyExistsError):
    code = "connectors.client_exists"


class TooManyThingsError(InvalidError):
    code = "connectors.too_many_things"


class ThingRemovalFailedError(DomainError):
    """The client stays and goes on; the same may be asked again (contract 2.4)."""

    code = "connectors.thing_removal_failed"


# Decide


def create(
    person: UUID,
    owner: str,
    subject: str,
    type_id: str,
    instance_id: UUID,
    configuration: Mapping[str, Any],
    sealed: str,
    awaits: Awaits,
) -> Sequence[Event]:
    return (
        ClientCreated(
            person=person,
            owner=owner,
            subject=subject,
            type_id=type_id,
            instance_id=instance_id,
            configuration=dict(configuration),
            sealed=sealed,
            awaits=awaits,
        ),
    )


def redirect(client: Client | None, location: str) -> Sequence[Event]:
    if client is None or client.awaits != "service":
        return ()
    return (ClientRedirected(location=location),)


def admit(client: Client | None) -> Sequence[Event]:
    return () if client is None or client.awaits == "worker" else (ClientAdmitted(),)


def resume(client: Client | None, reason: str) -> Sequence[Event]:
    if client is None or client.status == "STARTING":
        return ()
    return (ClientResumed(reason=reason),)


def start(client: Client | None) -> Sequence[Event]:
    """Nothing is running that nobody let in."""
    if client is None or client.awaits != "worker" or client.status == "STARTED":
        return ()
    return (ClientStarted(),)


def fail(client: Client | None, reason: str) -> Sequence[Event]:
    return () if client is None or client.status == "ERROR" else (ClientFailed(reason=reason),)


def gain(client: Client, thing_id: UUID) -> Sequence[Event]:
    if thing_id in client.things:
        return ()
    if len(client.things) >= MOST_THINGS:
        raise TooManyThingsError(f"A client makes at most {MOST_THINGS} things.")
    return (ClientThingGained(thing_id=thing_id),)


def lose(client: Client | None, thing_id: UUID) -> Sequence[Event]:
    return (ClientThingLost(thing_id=thing_id),) if client is not None and thing_id in client.things else ()


def refuse_removal(client: Client | None, reason: str) -> Sequence[Event]:
    return () if client is None else (ClientRemovalRefused(reason=reason),)


def remove() -> Sequence[Event]:
    return (ClientRemoved(),)


# Evolve


def evolve(client: Client | None, event: Event) -> Client | None:
    match event, client:
        case ClientCreated(), _:
            return Client(
                person=event.person,
                owner=event.owner,
                subject=event.subject,
                type_id=event.type_id,
                instance_id=event.instance_id,
                configuration=event.configuration,
                sealed=event.sealed,
                awaits=event.awaits,
            )
        case ClientRedirected(), Client():
            return replace(client, awaits="user")
        case ClientAdmitted(), Client():
            return replace(client, awaits="worker", status="STARTING")
        case ClientResumed(), Client():
            return replace(client, status="STARTING")
        case ClientStarted(), Client():
            return replace(client, status="STARTED")
        case ClientFailed(), Client():
            return replace(client, status="ERROR")
        case ClientThingGained(), Client():
            return replace(client, things=(*client.things, event.thing_id))
        case ClientThingLost(), Client():
            return replace(client, things=tuple(id for id in client.things if id != event.thing_id))
        case ClientRemoved(), _:
            return None
    return client


CLIENT = Decider("connectors.client", Client, evolve)
