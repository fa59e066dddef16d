from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import UNSET

from domain.devices import command
from domain.devices.command import (
    COMMANDS,
    MOST_OPEN,
    DeviceCommandAnswered,
    DeviceCommandFailed,
    DeviceCommandIssued,
    DeviceCommandPublished,
    DeviceCommandTimedOut,
    Response,
)
from tests.domain.specification import given

NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
DEVICE, SENSOR, OTHER_SENSOR, ACTOR, OTHER_ACTOR = (UUID(int=n) for n in range(1, 6))
A, B, C = (UUID(int=n) for n in range(10, 13))


def issued(
    id: UUID,
    part: UUID = ACTOR,
    kind: Literal["trigger", "write"] = "write",
    at: datetime = NOON,
    action: str = "set",
    **value: Any,
) -> DeviceCommandIssued:
    return DeviceCommandIssued(
        device_id=DEVICE, command_id=id, kind=kind, part_id=part, action=action, issued_at=at, **value
    )


def triggered(id: UUID, sensor: UUID = SENSOR, at: datetime = NOON) -> DeviceCommandIssued:
    return issued(id, sensor, "trigger", at, "read")


def ok(actor: UUID = ACTOR, action: str = "set", now: datetime = NOON) -> Any:
    response = Response(actor_id=actor, action=action, status="ok", value=True)
    return lambda commands: command.respond(commands, response, now)


def test_what_is_asked_is_recorded_once() -> None:
    given(COMMANDS).when(partial(command.issue, asked=issued(A))).then(issued(A))


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}, [1, {"r": None}]])
def test_every_value_is_kept_and_is_another_thing_than_none_at_all(value: Any) -> None:
    stored = msgspec.json.encode(issued(A, value=value))
    assert msgspec.json.decode(stored)["value"] == value
    assert msgspec.json.decode(stored, type=DeviceCommandIssued).value == value
    assert "value" not in msgspec.json.decode(msgspec.json.encode(issued(A)))
    assert issued(A).value is UNSET


def test_that_the_broker_took_it_is_recorded_once() -> None:
    given(COMMANDS, issued(A)).when(partial(command.confirm, command_id=A)).then(DeviceCommandPublished(command_id=A))


def test_an_answer_may_be_faster_than_our_own_word_of_the_broker() -> None:
    answered = DeviceCommandAnswered(command_id=A, status="ok")
    given(COMMANDS, issued(A), answered).when(partial(command.confirm, command_id=A)).then_nothing()


def test_what_failed_is_closed_and_cannot_be_answered() -> None:
    failed = DeviceCommandFailed(command_id=A, reason="away")
    given(COMMANDS, issued(A)).when(partial(command.fail, command_id=A, reason="away")).then(failed)
    given(COMMANDS, issued(A), failed).when(ok()).then_nothing()


def test_a_response_answers_the_newest_command_of_that_actor_with_that_action() -> None:
    past = given(
        COMMANDS, issued(A), issued(B), issued(C, OTHER_ACTOR), issued(UUID(int=13), action="stop"), triggered(SENSOR)
    )
    answered = DeviceCommandAnswered(command_id=B, status="ok", value=True)
    assert ok()(past.state) == (answered,)
    older = DeviceCommandAnswered(command_id=A, status="ok", value=True)
    assert ok()(past.and_then(answered).state) == (older,)
    assert ok()(past.and_then(answered, older).state) == ()


def test_a_device_may_say_that_it_failed() -> None:
    response = Response(actor_id=ACTOR, action="set", status="error", error="jammed")
    answered = DeviceCommandAnswered(command_id=A, status="error", error="jammed")
    given(COMMANDS, issued(A)).when(lambda commands: command.respond(commands, response, NOON)).then(answered)


def test_after_a_minute_nothing_is_an_answer_any_more() -> None:
    past = given(COMMANDS, issued(A), triggered(B))
    late = NOON + timedelta(seconds=60, microseconds=1)
    past.when(ok(now=late)).then_nothing()
    past.when(lambda commands: command.measure(commands, {SENSOR: 1.0}, late)).then_nothing()
    assert not command.awaits_reading(past.state, late)
    assert command.awaits_reading(past.state, NOON + timedelta(seconds=60))


def test_a_reading_answers_every_open_trigger_of_its_sensor() -> None:
    past = given(COMMANDS, triggered(A), triggered(B), triggered(C, OTHER_SENSOR), issued(UUID(int=13), SENSOR))
    past.when(lambda commands: command.measure(commands, {SENSOR: 21.5}, NOON)).then(
        DeviceCommandAnswered(command_id=A, status="ok", value=21.5),
        DeviceCommandAnswered(command_id=B, status="ok", value=21.5),
    )


@pytest.mark.parametrize("kind", ["command", "query"])
def test_what_a_connected_device_is_asked_waits_for_nothing_in_the_log(kind: Literal["command", "query"]) -> None:
    """Neither a response to a write nor a reading answers it: the process that waits tells its outcome."""
    asked = DeviceCommandIssued(device_id=DEVICE, command_id=A, kind=kind, action="", value="on", issued_at=NOON)
    past = given(COMMANDS, asked)
    assert past.state is None
    past.when(ok(action="")).then_nothing()
    past.when(lambda commands: command.measure(commands, {SENSOR: 1.0}, NOON)).then_nothing()
    assert not command.awaits_reading(past.state, NOON)
    assert given(COMMANDS, issued(B), asked).state == given(COMMANDS, issued(B)).state


def test_what_came_of_a_question_is_told_and_leaves_what_others_wait_for() -> None:
    assert command.answer(A, "on") == (DeviceCommandAnswered(command_id=A, status="ok", value="on"),)
    assert command.time_out(A) == (DeviceCommandTimedOut(command_id=A),)
    assert command.give_up(A, "gone") == (DeviceCommandFailed(command_id=A, reason="gone"),)
    waiting = given(COMMANDS, issued(B))
    for outcome in (*command.answer(A, "on"), *command.time_out(A), *command.give_up(A, "gone")):
        assert waiting.and_then(outcome).state == waiting.state


def test_of_a_device_that_never_answers_the_newest_stay_open() -> None:
    many = [issued(UUID(int=n)) for n in range(100, 100 + MOST_OPEN + 5)]
    state = given(COMMANDS, *many).state
    assert state is not None
    assert [one.id for one in state.open] == [one.command_id for one in many[5:]]
