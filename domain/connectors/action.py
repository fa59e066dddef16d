"""What somebody asked of a thing, and what came of it. One aggregate for each time that somebody asks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec.structs import replace

from domain.decider import Decider
from domain.errors import InvalidError, NotFoundError
from domain.event import Event
from domain.value import State

ActionStatus = Literal["PENDING", "COMPLETED", "FAILED"]


class ActionAsked(Event, topic="connectors.action.asked.v1"):
    """Of a thing of the client, or of one that an app entered. Whoever waits does so until the deadline."""

    thing_id: UUID
    component_id: str
    action_id: str
    parameters: dict[str, str]
    deadline: datetime
    client_id: UUID | None = None


class ActionCompleted(Event, topic="connectors.action.completed.v1"):
    pass


class ActionFailed(Event, topic="connectors.action.failed.v1"):
    reason: str


class AskedAction(State):
    thing_id: UUID
    client_id: UUID | None = None
    status: ActionStatus = "PENDING"


class ActionUnknownError(NotFoundError):
    """Nobody asked for that."""

    code = "connectors.action_unknown"


class ActionSettledError(InvalidError):
    """What came of it is known already."""

    code = "connectors.action_settled"


# Decide


def ask(asked: ActionAsked) -> Sequence[Event]:
    return (asked,)


def complete(action: AskedAction | None) -> Sequence[Event]:
    """The first word counts: a late one overwrites nothing (contract 2.7.4)."""
    _pending(action)
    return (ActionCompleted(),)


def fail(action: AskedAction | None, reason: str) -> Sequence[Event]:
    _pending(action)
    return (ActionFailed(reason=reason),)


def _pending(action: AskedAction | None) -> None:
    if action is None:
        raise ActionUnknownError("Nobody asked for that action.")
    if action.status != "PENDING":
        raise ActionSettledError(f"The action has been {action.status} before.")


# Evolve


def evolve(action: AskedAction | None, event: Event) -> AskedAction | None:
    match event, action:
        case ActionAsked(), _:
            return AskedAction(thing_id=event.thing_id, client_id=event.client_id)
        case ActionCompleted(), AskedAction():
            return replace(action, status="COMPLETED")
        case ActionFailed(), AskedAction():
            return replace(action, status="FAILED")
    return action


ACTION = Decider("connectors.action", AskedAction, evolve)
