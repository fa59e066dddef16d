"""What is asked of things, and what comes of it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from application.command import Aggregates, Change, Command, Handler, change
from application.connectors.thing import existing
from domain.connectors import action
from domain.connectors.action import ACTION, ActionAsked
from domain.connectors.thing import ActionNotFoundError, find_action

# How long somebody who asked may wait for what comes of it.
ANSWERABLE: Final = timedelta(seconds=60)


class AskAction(Command):
    """Recorded before anybody is asked, since the answer may come before the question has returned (contract 2.7.4)."""

    action_request_id: UUID
    thing_id: UUID
    component_id: str
    action_id: str
    parameters: dict[str, str]


def ask_action(command: AskAction, aggregates: Aggregates) -> Sequence[Change]:
    known = existing(aggregates, command.thing_id)
    if find_action(known, command.component_id, command.action_id) is None:
        raise ActionNotFoundError("The thing has no such action.")
    asked = ActionAsked(
        thing_id=command.thing_id,
        client_id=known.client_id,
        component_id=command.component_id,
        action_id=command.action_id,
        parameters=command.parameters,
        deadline=aggregates.now + ANSWERABLE,
    )
    return [change(ACTION, command.action_request_id, action.ask(asked))]


class CompleteAction(Command):
    action_request_id: UUID


def complete_action(command: CompleteAction, aggregates: Aggregates) -> Sequence[Change]:
    known = aggregates.find(ACTION, command.action_request_id)
    return [change(ACTION, command.action_request_id, action.complete(known))]


class FailAction(Command):
    action_request_id: UUID
    reason: str


def fail_action(command: FailAction, aggregates: Aggregates) -> Sequence[Change]:
    known = aggregates.find(ACTION, command.action_request_id)
    return [change(ACTION, command.action_request_id, action.fail(known, command.reason))]


HANDLERS: Mapping[type[Command], Handler] = {
    AskAction: ask_action,
    CompleteAction: complete_action,
    FailAction: fail_action,
}
