"""The running pieces of an owner's subjects."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID, uuid4

from application.connectors.client import AdmitClient, ClearClient, CreateClient, FailClient, RedirectClient
from application.connectors.configuration import Configuration
from application.connectors.connector_type import (
    AskingType,
    ClientSettings,
    InstanceSettings,
    OutageError,
    RefusedError,
    Taken,
    asks,
)
from application.connectors.line import WorkerAwayError
from application.connectors.records import ClientRecord
from domain.connectors.client import CLIENT
from domain.connectors.instance import INSTANCE, Instance
from domain.connectors.place import PLACE
from domain.identifiers import instance_place_id
from entrypoints.connectors import errors
from entrypoints.connectors.bodies.configured import configured
from entrypoints.connectors.door import Door
from entrypoints.connectors.exchange import ConnectorExchange, at, done, location_header, shown
from entrypoints.connectors.routes.descriptions import number_of
from entrypoints.connectors.views import client_href, description_href, instance_href, link
from entrypoints.exchange import Answer
from projections.connectors.connectors import Connectors

# What a client's other side may take to let it go.
REMOVAL_SECONDS: Final = 12.0


async def list_clients(door: Door, exchange: ConnectorExchange) -> Answer:
    seen = await door.see_connectors()
    ids = await door.connectors.list_clients(exchange.owner, exchange.subject)
    return shown([link(client_href(exchange, id)) for id in ids], headers=tuple(seen))


async def list_subjects(door: Door, exchange: ConnectorExchange) -> Answer:
    """Everybody that the owner ever had a client or a thing for."""
    seen = await door.see_connectors()
    subjects = await door.connectors.subjects_of(exchange.owner)
    hrefs = [exchange.href(f"/subjects/{quote(subject, safe='')}") for subject in subjects]
    return shown([link(href) for href in hrefs], headers=tuple(seen))


async def create_client(door: Door, exchange: ConnectorExchange) -> Answer:
    """201, or 303 when its user has to visit a page first; the client is there in both cases."""
    asked = configured(exchange.sent)
    instance_id, instance = await _instance_of(door, exchange.owner, asked.connector_type_id)
    connector = await door.find_type(asked.connector_type_id)
    if connector is None:
        raise errors.RefusedError(errors.NO_CONNECTOR_INSTANCE)
    checked = connector.check_client(asked.configuration, instance.configuration, exchange.subject)
    asking = asks(connector)
    creating = CreateClient(
        client_id=uuid4(),
        owner=exchange.owner,
        subject=exchange.subject,
        type_id=asked.connector_type_id,
        configuration=dict(checked.open),
        sealed=door.types.seal(checked),
        awaits="worker" if asking is None else "service",
    )
    settings = None
    if asking is not None:
        # Before anything is recorded, since its instance's secrets may not open any more.
        opened = door.types.settings_of_instance(instance_id, instance.owner, instance.configuration, instance.sealed)
        settings = _settings(creating, opened, checked)
    position, location = (await door.executor.execute(creating, exchange.origin)).position, ""
    if asking is not None and settings is not None:
        position, location = await _taken(door, exchange, asking, settings, position)
    return _created(exchange, creating.client_id, position, location, checked.told)


def _settings(creating: CreateClient, instance: InstanceSettings, checked: Configuration) -> ClientSettings:
    return ClientSettings(
        id=creating.client_id,
        owner=creating.owner,
        subject=creating.subject,
        instance=instance,
        settings={**checked.open, **checked.secrets},
        things={},
        created_at=datetime.now(UTC),
    )


def _created(
    exchange: ConnectorExchange, client_id: UUID, position: int, location: str, told: Mapping[str, Any]
) -> Answer:
    view = {"id": str(client_id), "client_id": str(client_id), **told}
    if not location:
        return shown(view, 201, (at(position), (b"location", client_href(exchange, client_id).encode())))
    page = f"{exchange.base}{location}" if location.startswith("/") else location
    return shown(view, 303, (at(position), location_header(page)))


async def _instance_of(door: Door, owner: str, type_id: str) -> tuple[UUID, Instance]:
    """As the log has it, so that nobody waits for a read model to make a client of what was made a moment ago."""
    place = await door.executor.find(PLACE, instance_place_id(owner, type_id))
    instance = await door.executor.find(INSTANCE, place.holder) if place is not None else None
    if place is None or instance is None:
        raise errors.RefusedError(errors.NO_CONNECTOR_INSTANCE)
    return place.holder, instance


async def _taken(
    door: Door, exchange: ConnectorExchange, asking: AskingType, settings: ClientSettings, position: int
) -> tuple[int, str]:
    """What the service, or the user, has to say to it: where that is recorded, and which page has to be visited.
    Nothing is said while nobody answers; the worker asks again. What it made meanwhile goes if it is not taken."""
    location = ""
    clearing = ClearClient(client_id=settings.id)
    try:
        taken = await asking.take_client(settings)
    except OutageError:
        return max(position, (await door.executor.execute(clearing, exchange.origin)).position), location
    except RefusedError as refused:
        await door.executor.execute(clearing, exchange.origin)
        told: FailClient | AdmitClient | RedirectClient = FailClient(client_id=settings.id, reason=str(refused))
    else:
        location = taken.content if taken.step == "redirect" else ""
        told = _what_was_said(settings.id, taken, location)
    return (await door.executor.execute(told, exchange.origin)).position, location


def _what_was_said(client_id: UUID, taken: Taken, location: str) -> AdmitClient | RedirectClient:
    if taken.complete:
        return AdmitClient(client_id=client_id)
    return RedirectClient(client_id=client_id, location=location)


async def show_client(door: Door, exchange: ConnectorExchange) -> Answer:
    await door.see_things()
    seen = await door.see_connectors()
    known = await _owned(door, exchange)
    things = await door.connectors.things_of(known.id)
    view = {
        "id": str(known.id),
        "instance": link(instance_href(exchange, known.instance_id)),
        "connector": link(description_href(exchange, await number_of(door, known.type_id))),
        "mappings": [{"connector_thing_id": name, "thing_id": str(id)} for name, id in things.items()],
        "status": known.status,
    }
    return shown({**view, "error": known.detail} if known.detail else view, headers=tuple(seen))


async def remove_client(door: Door, exchange: ConnectorExchange) -> Answer:
    """With everything that it made, or not at all. It is the worker that runs it who removes it."""
    id = exchange.named_id("client", errors.CLIENT_NOT_FOUND)
    known = await door.executor.find(CLIENT, id)
    if known is None or (known.owner, known.subject) != (exchange.owner, exchange.subject):
        raise errors.RefusedError(errors.CLIENT_NOT_FOUND)
    try:
        return done(await door.line.remove(id, exchange.origin, REMOVAL_SECONDS))
    except WorkerAwayError:
        # It may have been removed, and only the answer was lost.
        if await door.executor.find(CLIENT, id) is not None:
            raise
        return done((await door.positions.fresh(Connectors.name)).position)


async def _owned(door: Door, exchange: ConnectorExchange) -> ClientRecord:
    id = exchange.named_id("client", errors.CLIENT_NOT_FOUND)
    known = await door.connectors.find_client(id)
    if known is None or (known.owner, known.subject) != (exchange.owner, exchange.subject):
        raise errors.RefusedError(errors.CLIENT_NOT_FOUND)
    return known
