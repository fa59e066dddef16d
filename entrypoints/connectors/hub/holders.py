"""Whose token it is that a service shows."""

from typing import NamedTuple
from uuid import UUID

from domain.connectors.client import CLIENT, Client
from domain.connectors.instance import INSTANCE, Instance
from domain.connectors.thing import THING, Thing
from domain.event import Origin
from domain.identifiers import thing_stream_id
from entrypoints.bearers import NoTokenError, token_in
from entrypoints.connectors import errors
from entrypoints.connectors.door import Door
from entrypoints.connectors.errors import RefusedError
from entrypoints.connectors.exchange import ConnectorExchange
from entrypoints.correlation import correlation_id


class Caller(NamedTuple):
    """The service of one client."""

    client_id: UUID
    client: Client

    @property
    def origin(self) -> Origin:
        return origin_of(self.client.type_id)


def origin_of(type_id: str) -> Origin:
    return Origin(actor=f"connector:{type_id}", source="connector", correlation_id=correlation_id())


async def caller(door: Door, exchange: ConnectorExchange) -> Caller:
    """As the log has it: a service may call back while it is still being asked to take the client (2.7.4). Raises
    NoTokenError, and RefusedError for a token of nobody, or of one that is gone."""
    client_id = door.callback_tokens.holder_of("instance", _token(exchange))
    known = await door.executor.find(CLIENT, client_id) if client_id is not None else None
    if client_id is None or known is None:
        raise RefusedError(errors.UNAUTHORIZED)
    return Caller(client_id, known)


async def installation(door: Door, exchange: ConnectorExchange) -> tuple[UUID, Instance]:
    """The same for the service of an instance."""
    instance_id = door.callback_tokens.holder_of("installation", _token(exchange))
    known = await door.executor.find(INSTANCE, instance_id) if instance_id is not None else None
    if instance_id is None or known is None:
        raise RefusedError(errors.UNAUTHORIZED)
    return instance_id, known


async def own_thing(door: Door, exchange: ConnectorExchange, of: Caller) -> tuple[UUID, Thing]:
    """The thing that the path names, if the caller's client made it; another's is as good as none."""
    id = exchange.named_id("thing", errors.THING_NOT_FOUND)
    known = await door.executor.find(THING, thing_stream_id(id))
    if known is None or known.client_id != of.client_id:
        raise RefusedError(errors.THING_NOT_FOUND)
    return id, known


def _token(exchange: ConnectorExchange) -> str:
    token = token_in(exchange.header(b"authorization"))
    if token is None:
        raise NoTokenError
    return token
