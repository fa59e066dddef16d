"""Commands and queries: a device is asked, and whoever asked waits for its answer (contract 1.2, 2.3)."""

from typing import Literal, NamedTuple
from uuid import UUID, uuid4

from application.ports import DeviceLostError, DeviceSilentError, Road
from domain.identifiers import link_id
from entrypoints.cloud_connector.bodies.payload import payload_of
from entrypoints.cloud_connector.door import Door, origin_of
from entrypoints.cloud_connector.errors import DEVICE_NOT_FOUND, FOREIGN_PAGE, Refusal, RefusedError
from entrypoints.cloud_connector.exchange import ConnectorExchange
from entrypoints.cloud_connector.routes.devices import road_of
from entrypoints.cloud_connector.views import ResponseView, show
from entrypoints.exchange import Answer

Kind = Literal["command", "query"]

_TIMEOUTS = {"command": Refusal(408, "Device command timeout"), "query": Refusal(408, "Device query timeout")}


async def command(door: Door, exchange: ConnectorExchange) -> Answer:
    return await _ask(door, exchange, "command")


async def query(door: Door, exchange: ConnectorExchange) -> Answer:
    return await _ask(door, exchange, "query")


class _Asked(NamedTuple):
    """The device that is asked: how to reach it, the stream that it is recorded in, and what it takes of a body."""

    road: Road
    device_id: UUID
    payload_mode: Literal["raw", "field"]


async def _ask(door: Door, exchange: ConnectorExchange, kind: Kind) -> Answer:
    # An open door asks for no token, and a browser would send this for any page that somebody looks at.
    if exchange.claims is None and (page := exchange.header(b"origin")) and not door.origins.allow(page):
        raise RefusedError(FOREIGN_PAGE)
    body = await exchange.body()
    asked = await _find(door, exchange.device)
    payload = payload_of(body, asked.payload_mode)
    until = exchange.arrived + door.timeout
    asking = door.asker.ask(asked.road, asked.device_id, kind, payload, uuid4(), origin_of(exchange), until)
    try:
        with door.pending.waiting():
            return show(ResponseView(response=await exchange.unless_gone(asking)))
    except (DeviceSilentError, DeviceLostError):
        # A device that went away meanwhile may have done what it was told, as one that said nothing.
        raise RefusedError(_TIMEOUTS[kind]) from None


async def _find(door: Door, device: str) -> _Asked:
    """Here first, because that needs neither the read model nor NATS."""
    link = door.links.find(device)
    if link is not None:
        road = Road("websocket", door.links.holder, link.connection_id)
        return _Asked(road, link.device_id or link_id(link.device, None), link.payload_mode)
    await door.positions.fresh("connections")
    known = await door.connections.find(device)
    if known is None:
        raise RefusedError(DEVICE_NOT_FOUND)
    return _Asked(road_of(known), known.device_id or link_id(known.device, None), known.payload_mode)
