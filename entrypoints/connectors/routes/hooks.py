"""Where others push to (contract connectors 5.4). Taken means that it is on disk."""

import asyncio
import hmac
from collections.abc import Mapping, Sequence
from time import time
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec

from adapters.connector_types.mapping import mapped_properties, text_at, values_in
from adapters.connector_types.webhook import TYPE_ID, pushed_description, signature
from application.connectors.push import ReceivePush
from application.connectors.thing import MakeThing
from domain.connectors.client import CLIENT, Client
from domain.connectors.instance import INSTANCE
from domain.connectors.push import PUSH, PushRepeatedError
from domain.event import Origin
from domain.identifiers import made_thing_id, push_id
from entrypoints.connectors import errors
from entrypoints.connectors.door import Door
from entrypoints.connectors.errors import RefusedError
from entrypoints.connectors.exchange import BODY_SECONDS, ConnectorExchange, done
from entrypoints.correlation import correlation_id
from entrypoints.exchange import Answer

HOOKS: Final = "/connectors/hooks/{client}"
# A push that is older, or from the future, is not taken.
SECONDS: Final = 300
MOST_THINGS: Final = 1000


async def receive(door: Door, exchange: ConnectorExchange) -> Answer:
    """An object is of one thing, a list of many."""
    client_id, client, secret, largest = await _hook(door, exchange)
    body = await exchange.body(largest, BODY_SECONDS)
    timestamp = exchange.header(b"x-timestamp") or ""
    signed = exchange.header(b"x-signature") or ""
    _check(secret, timestamp, signed, body, required=client.configuration.get("require_timestamp", True))
    id = push_id(client_id, timestamp, signed) if timestamp else uuid4()
    if await door.executor.find(PUSH, id) is not None:
        raise PushRepeatedError("This push was taken before.")
    origin = Origin(actor=f"connector:{TYPE_ID}", source="connector", correlation_id=correlation_id())
    made = [_thing(client_id, client.configuration, element) for element in _elements(body)]
    await asyncio.gather(*(door.executor.execute(making, origin) for making in made))
    receipt = await door.executor.execute(ReceivePush(push_id=id, client_id=client_id), origin)
    return done(receipt.position, 202)


async def _hook(door: Door, exchange: ConnectorExchange) -> tuple[UUID, Client, str, int]:
    """The client, its instance's secret, and how many bytes it takes."""
    client_id = exchange.named_id("client", errors.CLIENT_NOT_FOUND)
    client = await door.executor.find(CLIENT, client_id)
    instance = await door.executor.find(INSTANCE, client.instance_id) if client is not None else None
    if client is None or instance is None or client.type_id != TYPE_ID:
        raise RefusedError(errors.CLIENT_NOT_FOUND)
    settings = door.types.settings_of_instance(
        client.instance_id, instance.owner, instance.configuration, instance.sealed
    ).settings
    return client_id, client, str(settings["shared_secret"]), int(settings.get("max_body_kb", 256) * 1024)


def _check(secret: str, timestamp: str, signed: str, body: bytes, *, required: bool) -> None:
    """Raises RefusedError. The time is in Unix seconds."""
    known = hmac.compare_digest(signature(secret, timestamp, body).encode(), signed.encode())
    if not known or (required and not timestamp):
        raise RefusedError(errors.UNAUTHORIZED._replace(headers=()))
    if timestamp and not (timestamp.isascii() and timestamp.isdigit() and abs(int(timestamp) - time()) <= SECONDS):
        raise RefusedError(errors.UNAUTHORIZED._replace(headers=(), text="X-Timestamp is no Unix time of now"))


def _elements(body: bytes) -> Sequence[Mapping[str, Any]]:
    try:
        sent = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RefusedError(errors.INVALID_JSON_BODY) from None
    elements = sent if isinstance(sent, list) else [sent]
    if not elements or len(elements) > MOST_THINGS or not all(isinstance(one, dict) for one in elements):
        raise RefusedError(errors.INVALID_JSON_BODY)
    return elements


def _thing(client_id: UUID, settings: Mapping[str, Any], element: Mapping[str, Any]) -> MakeThing:
    """Telling of a thing that there is makes no other."""
    foreign = text_at(element, str(settings.get("id_pointer", "/id")))
    if not foreign:
        raise RefusedError(errors.BAD_REQUEST.saying("there is no id where id_pointer leads to"))
    name = text_at(element, settings["name_pointer"]) if settings.get("name_pointer") else ""
    return MakeThing(
        thing_id=made_thing_id(client_id, foreign),
        client_id=client_id,
        connector_thing_id=foreign,
        description=pushed_description(settings, name or foreign),
        values=values_in(element, mapped_properties(settings, required=True)),
    )
