"""A connector instance: what an owner configured once of a technology, for all the clients that use it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from msgspec.structs import replace

from domain.decider import Decider
from domain.errors import AlreadyExistsError, DomainError, InvalidError, NotFoundError
from domain.event import Event
from domain.value import State

Installation = Literal["asked", "ongoing", "complete", "failed"]


class InstanceCreated(Event, topic="connectors.instance.created.v1", private=("configuration", "sealed")):
    """`configuration` is what may be read, `sealed` the secrets among the settings, encrypted."""

    owner: str
    type_id: str
    configuration: dict[str, Any]
    sealed: str = ""


class InstanceInstalled(Event, topic="connectors.instance.installed.v1"):
    """The connector's service has taken it; there is nothing to wait for."""


class InstanceInstallationDelayed(Event, topic="connectors.instance.installation_delayed.v1", private=("content",)):
    """The service has taken it and wants something more first: `step` is the kind of it, `content` what it says."""

    step: str
    content: str


class InstanceInstallationFailed(Event, topic="connectors.instance.installation_failed.v1"):
    reason: str


class ClientAttached(Event, topic="connectors.instance.client_attached.v1"):
    client_id: UUID


class ClientDetached(Event, topic="connectors.instance.client_detached.v1"):
    client_id: UUID


class InstanceRemoved(Event, topic="connectors.instance.removed.v1"):
    pass


class Instance(State):
    """`clients` counts those attached: that is all a decision needs, however many they are."""

    owner: str
    type_id: str
    configuration: dict[str, Any]
    sealed: str = ""
    installation: Installation = "asked"
    clients: int = 0


class InstanceNotFoundError(NotFoundError):
    code = "connectors.instance_not_found"


class InstanceExistsError(AlreadyExistsError):
    code = "connectors.instance_exists"


class InstanceInUseError(DomainError):
    code = "connectors.instance_in_use"


class NoInstanceError(InvalidError):
    """A client was asked for, and its owner has no instance of the type."""

    code = "connectors.no_instance"


# Decide


def create(
    owner: str, type_id: str, configuration: Mapping[str, Any], sealed: str, *, installed: bool = False
) -> Sequence[Event]:
    created = InstanceCreated(owner=owner, type_id=type_id, configuration=dict(configuration), sealed=sealed)
    return (created, InstanceInstalled()) if installed else (created,)


def install(instance: Instance | None) -> Sequence[Event]:
    return () if instance is None or instance.installation == "complete" else (InstanceInstalled(),)


def delay_installation(instance: Instance | None, step: str, content: str) -> Sequence[Event]:
    if instance is None or instance.installation != "asked":
        return ()
    return (InstanceInstallationDelayed(step=step, content=content),)


def fail_installation(instance: Instance | None, reason: str) -> Sequence[Event]:
    if instance is None or instance.installation == "failed":
        return ()
    return (InstanceInstallationFailed(reason=reason),)


def attach(client_id: UUID) -> Sequence[Event]:
    """Of a client that is being made."""
    return (ClientAttached(client_id=client_id),)


def detach(instance: Instance | None, client_id: UUID) -> Sequence[Event]:
    """Of a client that is being removed."""
    return () if instance is None else (ClientDetached(client_id=client_id),)


def remove(instance: Instance) -> Sequence[Event]:
    if instance.clients:
        raise InstanceInUseError("There are clients attached to the instance; remove them first.")
    return (InstanceRemoved(),)


# Evolve


def evolve(instance: Instance | None, event: Event) -> Instance | None:
    match event, instance:
        case InstanceCreated(), _:
            return Instance(
                owner=event.owner, type_id=event.type_id, configuration=event.configuration, sealed=event.sealed
            )
        case InstanceInstalled(), Instance():
            return replace(instance, installation="complete")
        case InstanceInstallationDelayed(), Instance():
            return replace(instance, installation="ongoing")
        case InstanceInstallationFailed(), Instance():
            return replace(instance, installation="failed")
        case ClientAttached(), Instance():
            return replace(instance, clients=instance.clients + 1)
        case ClientDetached(), Instance():
            return replace(instance, clients=instance.clients - 1)
        case InstanceRemoved(), _:
            return None
    return instance


# An instance is looked at in the log with every client that is made of it, and there may be thousands.
INSTANCE = Decider("connectors.instance", Instance, evolve, snapshot_every=20)
