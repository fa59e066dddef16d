"""Connectors that somebody else's services are."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from application.command import Aggregates, Change, Command, Handler, change
from domain.connectors import place, publication
from domain.connectors.place import PLACE
from domain.connectors.publication import (
    NUMBERS,
    PUBLICATION,
    Numbers,
    PublicationNotFoundError,
    PublishedConnector,
    TypeTakenError,
)
from domain.identifiers import CONNECTOR_NUMBERS_ID, type_place_id


class PublishConnector(Command):
    """`publication_id`, the keys and their sealing are made by the caller."""

    publication_id: UUID
    owner: str
    connector: PublishedConnector
    public_key: str
    sealed_key: str


def publish_connector(command: PublishConnector, aggregates: Aggregates) -> Sequence[Change]:
    type_id = command.connector.type_id
    place_id = type_place_id(type_id)
    taken = place.take(
        aggregates.find(PLACE, place_id),
        command.publication_id,
        TypeTakenError(f"There is a connector of the type {type_id!r}; call this one otherwise."),
    )
    numbers = aggregates.find(NUMBERS, CONNECTOR_NUMBERS_ID)
    published = publication.publish(
        command.owner,
        (numbers or Numbers()).next,
        command.connector,
        command.public_key,
        command.sealed_key,
    )
    return [
        change(PUBLICATION, command.publication_id, published),
        change(PLACE, place_id, taken),
        change(NUMBERS, CONNECTOR_NUMBERS_ID, publication.give_number(numbers, type_id)),
    ]


class WithdrawConnector(Command):
    publication_id: UUID
    owner: str


def withdraw_connector(command: WithdrawConnector, aggregates: Aggregates) -> Sequence[Change]:
    known = aggregates.find(PUBLICATION, command.publication_id)
    if known is None or known.owner != command.owner:
        raise PublicationNotFoundError("There is no such publication.")
    place_id = type_place_id(known.connector.type_id)
    left = place.leave(aggregates.find(PLACE, place_id), command.publication_id)
    return [
        change(PUBLICATION, command.publication_id, publication.withdraw(known)),
        change(PLACE, place_id, left),
    ]


HANDLERS: Mapping[type[Command], Handler] = {
    PublishConnector: publish_connector,
    WithdrawConnector: withdraw_connector,
}
