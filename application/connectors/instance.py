"""Connector instances: one per owner and type."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from application.command import Aggregates, Change, Command, Handler, change
from domain.connectors import instance, place, publication
from domain.connectors.instance import INSTANCE, Instance, InstanceExistsError, InstanceNotFoundError
from domain.connectors.place import PLACE
from domain.connectors.publication import PUBLICATION
from domain.identifiers import instance_place_id, type_place_id


class CreateInstance(Command):
    """The configuration has been checked by its type, and its secrets are sealed. `publication_id` says which published
    connector it is an instance of; a type that comes with us has none. `installed`: there is no service to be asked."""

    instance_id: UUID
    owner: str
    type_id: str
    configuration: dict[str, Any]
    sealed: str = ""
    publication_id: UUID | None = None
    installed: bool = False


def create_instance(command: CreateInstance, aggregates: Aggregates) -> Sequence[Change]:
    place_id = instance_place_id(command.owner, command.type_id)
    taken = place.take(
        aggregates.find(PLACE, place_id),
        command.instance_id,
        InstanceExistsError("There is an instance of this connector type; remove it first."),
    )
    created = instance.create(
        command.owner, command.type_id, command.configuration, command.sealed, installed=command.installed
    )
    changes = [change(INSTANCE, command.instance_id, created), change(PLACE, place_id, taken)]
    if command.publication_id is not None:
        published = aggregates.find(PUBLICATION, command.publication_id)
        added = publication.add_instance(published, command.instance_id)
        changes.append(change(PUBLICATION, command.publication_id, added))
    return changes


class RecordInstallation(Command):
    """What the connector's service said to it. `step` and `content`: what it wants first; `reason`: why it refused."""

    instance_id: UUID
    step: str | None = None
    content: str = ""
    reason: str | None = None


def record_installation(command: RecordInstallation, aggregates: Aggregates) -> Sequence[Change]:
    known = aggregates.find(INSTANCE, command.instance_id)
    if command.reason is not None:
        events = instance.fail_installation(known, command.reason)
    elif command.step is not None:
        events = instance.delay_installation(known, command.step, command.content)
    else:
        events = instance.install(known)
    return [change(INSTANCE, command.instance_id, events)]


class RemoveInstance(Command):
    """Refused while clients are attached."""

    instance_id: UUID
    owner: str


def remove_instance(command: RemoveInstance, aggregates: Aggregates) -> Sequence[Change]:
    known = owned(aggregates, command.instance_id, command.owner)
    place_id = instance_place_id(known.owner, known.type_id)
    changes = [
        change(INSTANCE, command.instance_id, instance.remove(known)),
        change(PLACE, place_id, place.leave(aggregates.find(PLACE, place_id), command.instance_id)),
    ]
    published_as = aggregates.find(PLACE, type_place_id(known.type_id))
    if published_as is not None:
        published = aggregates.find(PUBLICATION, published_as.holder)
        dropped = publication.drop_instance(published, command.instance_id)
        changes.append(change(PUBLICATION, published_as.holder, dropped))
    return changes


def owned(aggregates: Aggregates, instance_id: UUID, owner: str) -> Instance:
    """Another owner's is as good as none."""
    known = aggregates.find(INSTANCE, instance_id)
    if known is None or known.owner != owner:
        raise InstanceNotFoundError("There is no such instance.")
    return known


HANDLERS: Mapping[type[Command], Handler] = {
    CreateInstance: create_instance,
    RecordInstallation: record_installation,
    RemoveInstance: remove_instance,
}
