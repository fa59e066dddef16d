"""Connector clients: made, run, and removed with all that they made."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from msgspec import field

from application.command import Aggregates, Change, Command, Handler, change
from application.connectors.registry import DeviceRegistry
from application.connectors.subject import met
from application.connectors.thing import changed, find_things
from domain.connectors import client, instance, place, thing
from domain.connectors.client import CLIENT, Awaits, Client, ClientExistsError, ClientNotFoundError
from domain.connectors.instance import INSTANCE, NoInstanceError
from domain.connectors.place import PLACE
from domain.identifiers import client_place_id, instance_place_id


class CreateClient(Command):
    """The configuration has been checked by its type, and its secrets are sealed. It is a client of whichever instance
    of the type its owner has. `person` is a new id, for a subject that has no key yet."""

    client_id: UUID
    owner: str
    subject: str
    type_id: str
    configuration: dict[str, Any]
    sealed: str = ""
    awaits: Awaits = "worker"
    person: UUID = field(default_factory=uuid4)


def create_client(command: CreateClient, aggregates: Aggregates) -> Sequence[Change]:
    of_type = aggregates.find(PLACE, instance_place_id(command.owner, command.type_id))
    if of_type is None:
        raise NoInstanceError("There is no connector instance for this type; create one first.")
    place_id = client_place_id(command.owner, command.subject, command.type_id)
    taken = place.take(
        aggregates.find(PLACE, place_id),
        command.client_id,
        ClientExistsError("There is a client for this subject and connector type; remove it first."),
    )
    person, meeting = met(aggregates, command.owner, command.subject, command.person)
    created = client.create(
        person,
        command.owner,
        command.subject,
        command.type_id,
        of_type.holder,
        command.configuration,
        command.sealed,
        command.awaits,
    )
    return [
        change(CLIENT, command.client_id, created),
        change(PLACE, place_id, taken),
        change(INSTANCE, of_type.holder, instance.attach(command.client_id)),
        *meeting,
    ]


class RedirectClient(Command):
    """The service wants its user to visit a page first."""

    client_id: UUID
    location: str


def redirect_client(command: RedirectClient, aggregates: Aggregates) -> Sequence[Change]:
    known = aggregates.find(CLIENT, command.client_id)
    return [change(CLIENT, command.client_id, client.redirect(known, command.location))]


class AdmitClient(Command):
    """The service has taken it, or its user has agreed: the worker may run it."""

    client_id: UUID


def admit_client(command: AdmitClient, aggregates: Aggregates) -> Sequence[Change]:
    return [change(CLIENT, command.client_id, client.admit(aggregates.find(CLIENT, command.client_id)))]


class StartClient(Command):
    """It has reached the other side."""

    client_id: UUID


def start_client(command: StartClient, aggregates: Aggregates) -> Sequence[Change]:
    return [change(CLIENT, command.client_id, client.start(aggregates.find(CLIENT, command.client_id)))]


class ResumeClient(Command):
    """It is started again."""

    client_id: UUID
    reason: str


def resume_client(command: ResumeClient, aggregates: Aggregates) -> Sequence[Change]:
    known = aggregates.find(CLIENT, command.client_id)
    return [change(CLIENT, command.client_id, client.resume(known, command.reason))]


class FailClient(Command):
    client_id: UUID
    reason: str


def fail_client(command: FailClient, aggregates: Aggregates) -> Sequence[Change]:
    known = aggregates.find(CLIENT, command.client_id)
    return [change(CLIENT, command.client_id, client.fail(known, command.reason))]


class RefuseClientRemoval(Command):
    """One of its things would not go. It goes on."""

    client_id: UUID
    reason: str


def refuse_client_removal(command: RefuseClientRemoval, aggregates: Aggregates) -> Sequence[Change]:
    known = aggregates.find(CLIENT, command.client_id)
    return [change(CLIENT, command.client_id, client.refuse_removal(known, command.reason))]


class RemoveClient(Command):
    """The client and everything it made, in one decision. What the other side has to say to it was asked before."""

    client_id: UUID


class ClearClient(Command):
    """What it made while its service was asked to take it goes, because the service did not (contract 2.7.4)."""

    client_id: UUID


def handlers(registry: DeviceRegistry) -> Mapping[type[Command], Handler]:
    """What handles the commands, where every thing is a device of the registry too."""

    def remove_client(command: RemoveClient, aggregates: Aggregates) -> Sequence[Change]:
        known = aggregates.find(CLIENT, command.client_id)
        if known is None:
            raise ClientNotFoundError("There is no such client.")
        place_id = client_place_id(known.owner, known.subject, known.type_id)
        detached = instance.detach(aggregates.find(INSTANCE, known.instance_id), command.client_id)
        return [
            change(CLIENT, command.client_id, client.remove()),
            change(PLACE, place_id, place.leave(aggregates.find(PLACE, place_id), command.client_id)),
            change(INSTANCE, known.instance_id, detached),
            *_things_removed(aggregates, known),
        ]

    def clear_client(command: ClearClient, aggregates: Aggregates) -> Sequence[Change]:
        known = aggregates.find(CLIENT, command.client_id)
        if known is None or not known.things:
            return ()
        lost = [event for id in known.things for event in client.lose(known, id)]
        return [change(CLIENT, command.client_id, lost), *_things_removed(aggregates, known)]

    def _things_removed(aggregates: Aggregates, known: Client) -> Sequence[Change]:
        things = find_things(aggregates, known.things)
        return [
            *(changed(id, thing.remove(made)) for id, made in things.items()),
            *registry.removed(aggregates, known.things),
        ]

    return {
        CreateClient: create_client,
        RedirectClient: redirect_client,
        AdmitClient: admit_client,
        StartClient: start_client,
        ResumeClient: resume_client,
        FailClient: fail_client,
        RefuseClientRemoval: refuse_client_removal,
        RemoveClient: remove_client,
        ClearClient: clear_client,
    }
