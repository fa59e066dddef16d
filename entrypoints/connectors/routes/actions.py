"""What is asked of things. Recorded before anybody is asked, since what comes of it may be told before the question has
returned (contract connectors 2.7.4)."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from math import isfinite
from typing import Final
from uuid import UUID, uuid4

from application.connectors.action import AskAction, CompleteAction, FailAction
from application.connectors.connector_type import ActionOutcome, AskedOfThing, OutageError
from application.connectors.line import WorkerAwayError
from domain.connectors.action import ActionSettledError
from domain.connectors.thing import Action, PropertyType
from entrypoints.connectors import errors
from entrypoints.connectors.bodies.thing import text_of
from entrypoints.connectors.door import Door
from entrypoints.connectors.errors import RefusedError
from entrypoints.connectors.exchange import ConnectorExchange, shown
from entrypoints.connectors.routes.things import component_of, owned
from entrypoints.connectors.views import asked_view
from entrypoints.exchange import Answer
from projections.as_of import clock
from projections.connectors.thing_queries import ThingRow

# What the other side may take to say whether it will.
ASKING_SECONDS: Final = 10.0


async def ask_action(door: Door, exchange: ConnectorExchange) -> Answer:
    await door.see_things()
    thing = await owned(door, exchange)
    component = component_of(thing, exchange)
    action = next((one for one in component.actions if one.id == exchange.named["action"]), None)
    if action is None:
        raise RefusedError(errors.ACTION_NOT_FOUND)
    asking = AskAction(
        action_request_id=uuid4(),
        thing_id=thing.id,
        component_id=component.id,
        action_id=action.id,
        parameters=dict(_parameters(action, exchange)),
    )
    await door.executor.execute(asking, exchange.origin)
    outcome = await _ask(door, thing, asking)
    if not outcome.pending:
        with suppress(ActionSettledError):  # the first word counts
            await door.executor.execute(_settled(asking, outcome), exchange.origin)
    return await _shown(door, exchange, asking.action_request_id, 201)


async def show_action(door: Door, exchange: ConnectorExchange) -> Answer:
    """What has come of what was asked."""
    id = exchange.named_id("request", errors.ACTION_NOT_FOUND)
    await door.see_things()
    known = await door.things.find_action(id)
    thing = await door.things.find(known.thing_id) if known is not None else None
    if thing is None or (thing.owner, thing.subject) != (exchange.owner, exchange.subject):
        raise RefusedError(errors.ACTION_NOT_FOUND)
    return await _shown(door, exchange, id, 200)


async def _ask(door: Door, thing: ThingRow, asking: AskAction) -> ActionOutcome:
    if thing.client_id is None:
        return ActionOutcome(reason="nobody runs this thing")
    asked = AskedOfThing(
        request_id=asking.action_request_id,
        thing_id=thing.id,
        connector_thing_id=thing.connector_thing_id,
        component_id=asking.component_id,
        action_id=asking.action_id,
        parameters=asking.parameters,
    )
    try:
        return await door.line.act(thing.client_id, asked, ASKING_SECONDS)
    except (OutageError, WorkerAwayError) as away:
        return ActionOutcome(reason=str(away))


def _settled(asking: AskAction, outcome: ActionOutcome) -> CompleteAction | FailAction:
    if outcome.reason is None:
        return CompleteAction(action_request_id=asking.action_request_id)
    return FailAction(action_request_id=asking.action_request_id, reason=outcome.reason)


async def _shown(door: Door, exchange: ConnectorExchange, request_id: UUID, status: int) -> Answer:
    seen = await door.see_things()
    known = await door.things.find_action(request_id)
    if known is None:
        raise RefusedError(errors.ACTION_NOT_FOUND)
    return shown(asked_view(known, await clock()), status, tuple(seen))


def _parameters(action: Action, exchange: ConnectorExchange) -> Mapping[str, str]:
    """As texts. Those that the action does not know, or of another type, are refused; each may be left out."""
    types = {parameter.name: parameter.type for parameter in action.parameters}
    given = {}
    for name, value in exchange.sent.items():
        if name not in types:
            raise _wrong(name, "is no parameter of this action")
        text = text_of(name, value)
        if not _FITS[types[name]](text):
            raise _wrong(name, f"is no {types[name]}")
        given[name] = text
    return given


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _wrong(name: str, reason: str) -> RefusedError:
    return RefusedError(errors.BAD_REQUEST.saying(f"{name}: {reason}"))


_FITS: Mapping[PropertyType, Callable[[str], bool]] = {
    "NUMBER": _is_number,
    "BOOLEAN": lambda text: text.lower() in ("true", "false"),
    "STRING": lambda text: "\0" not in text,
}
