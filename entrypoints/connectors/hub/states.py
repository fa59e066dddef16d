"""How services say that their installations and instances fare, and what came of actions."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from application.connectors.action import CompleteAction, FailAction
from application.connectors.client import AdmitClient, FailClient, StartClient
from application.connectors.instance import RecordInstallation
from domain.connectors.action import ACTION
from entrypoints.connectors import errors
from entrypoints.connectors.door import Door
from entrypoints.connectors.errors import RefusedError
from entrypoints.connectors.exchange import ConnectorExchange, done
from entrypoints.connectors.hub.holders import caller, installation, origin_of
from entrypoints.exchange import Answer

COMPLETE: Final = 2
ONGOING: Final = 3
FAILED: Final = 4
_FAILURES: Final = (4, 5, 6)

_STATES: Mapping[str, int] = {
    "INITIALIZED": 1,
    "COMPLETE": COMPLETE,
    "ONGOING": ONGOING,
    "FAILED": FAILED,
    "ERROR": 5,
    "INTERNAL_ERROR": 6,
    "REMOVAL_ONGOING": 7,
}


async def tell_instance_state(door: Door, exchange: ConnectorExchange) -> Answer:
    """COMPLETE lets a client start that waits for that, and brings one back that had failed."""
    of = await caller(door, exchange)
    sent = await exchange.read_object()
    state = _state(sent, _STATES.values())
    position = 0
    if state == COMPLETE:
        receipt = await door.executor.execute(AdmitClient(client_id=of.client_id), of.origin)
        if not receipt.events:
            receipt = await door.executor.execute(StartClient(client_id=of.client_id), of.origin)
        position = receipt.position
    elif state in _FAILURES:
        failing = FailClient(client_id=of.client_id, reason=_details(sent))
        position = (await door.executor.execute(failing, of.origin)).position
    return done(position)


async def tell_installation_state(door: Door, exchange: ConnectorExchange) -> Answer:
    instance_id, known = await installation(door, exchange)
    sent = await exchange.read_object()
    state = _state(sent, (COMPLETE, ONGOING, FAILED))
    if state == ONGOING:
        return done(0)
    told = RecordInstallation(instance_id=instance_id, reason=_details(sent) if state == FAILED else None)
    return done((await door.executor.execute(told, origin_of(known.type_id))).position)


async def settle_action(door: Door, exchange: ConnectorExchange) -> Answer:
    """Once, from PENDING."""
    of = await caller(door, exchange)
    sent = await exchange.read_object()
    status = sent.get("status")
    if status not in ("COMPLETED", "FAILED"):
        raise RefusedError(errors.BAD_REQUEST.saying("status: is neither COMPLETED nor FAILED"))
    id = exchange.named_id("request", errors.ACTION_NOT_FOUND)
    known = await door.executor.find(ACTION, id)
    if known is None or known.client_id != of.client_id:
        raise RefusedError(errors.ACTION_NOT_FOUND)
    error = sent.get("error")
    reason = error if isinstance(error, str) and error else "the connector's service says that it failed"
    settling = (
        CompleteAction(action_request_id=id)
        if status == "COMPLETED"
        else FailAction(action_request_id=id, reason=reason)
    )
    return done((await door.executor.execute(settling, of.origin)).position)


def _state(sent: Mapping[str, Any], known: Collection[int]) -> int:
    """A number, as the kit sends it, or its name, as the document writes it (C12)."""
    given = sent.get("state")
    state = _STATES.get(given) if isinstance(given, str) else given
    if isinstance(state, bool) or not isinstance(state, int) or state not in known:
        raise RefusedError(errors.BAD_REQUEST.saying("state: is none that can be told"))
    return state


def _details(sent: Mapping[str, Any]) -> str:
    """Whatever the service adds is its own; a text is taken as the reason."""
    details = sent.get("details")
    return details[:500] if isinstance(details, str) and details else "the connector's service says that it failed"
