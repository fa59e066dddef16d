"""What a device was asked for and what came of it. One stream per device; the events are the whole history, the state
knows only what may still be answered."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from domain.decider import Decider
from domain.errors import NotFoundError
from domain.event import Event
from domain.value import State, Value

Kind = Literal["trigger", "write", "command", "query"]
AnswerStatus = Literal["ok", "error"]

# A device has this long to answer; contract 3.3 lets it ignore what is older.
ANSWERABLE: Final = timedelta(seconds=60)
# A device that never answers leaves its commands open; of those the newest count.
MOST_OPEN: Final = 64


class DeviceCommandIssued(Event, topic="devices.command.issued.v1"):
    """Somebody asked the device for something; who, is in the envelope. `part_id` is the sensor or actor. An absent
    `value` is another thing than the value null.

    A `command` or `query` is for a connected device as a whole: its `value` is the payload, its `action` is empty, and
    `device_id` is the stream of the device's connections where it is no registered device."""

    device_id: UUID
    command_id: UUID
    kind: Kind
    action: str
    issued_at: datetime
    part_id: UUID | None = None
    value: Any | UnsetType = UNSET


class DeviceCommandPublished(Event, topic="devices.command.published.v1"):
    """The broker has taken it for the device."""

    command_id: UUID


class DeviceCommandFailed(Event, topic="devices.command.failed.v1"):
    """The caller was told that it did not work, and it is not sent any more."""

    command_id: UUID
    reason: str


class DeviceCommandAnswered(Event, topic="devices.command.answered.v1"):
    """The device's own word. The `value` of a trigger is what the sensor then measured."""

    command_id: UUID
    status: AnswerStatus
    value: Any | UnsetType = UNSET
    error: str | None = None


class DeviceCommandTimedOut(Event, topic="devices.command.timed_out.v1"):
    """The device did not answer while the caller waited. An answer that comes later is dropped."""

    command_id: UUID


class OpenCommand(Value):
    """A command that may still be answered."""

    id: UUID
    kind: Kind
    action: str
    issued_at: datetime
    part_id: UUID | None = None
    published: bool = False


class Commands(State):
    """The open commands of one device, the oldest first."""

    open: tuple[OpenCommand, ...] = ()


class PartNotInServiceError(NotFoundError):
    """There is no such sensor or actor in service to be asked."""

    code = "devices.part_not_in_service"


# Decide


def issue(commands: Commands | None, asked: DeviceCommandIssued) -> Sequence[Event]:
    return () if _find(commands, asked.command_id) else (asked,)


def confirm(commands: Commands | None, command_id: UUID) -> Sequence[Event]:
    """The broker took it. A device that answered before we heard so has said it all."""
    known = _find(commands, command_id)
    return () if known is None or known.published else (DeviceCommandPublished(command_id=command_id),)


def fail(commands: Commands | None, command_id: UUID, reason: str) -> Sequence[Event]:
    if _find(commands, command_id) is None:
        return ()
    return (DeviceCommandFailed(command_id=command_id, reason=reason),)


class Response(Value):
    """What an actor's device says of a command that it names by actor and action only (contract 3.5)."""

    actor_id: UUID
    action: str
    status: AnswerStatus
    value: Any | UnsetType = UNSET
    error: str | None = None


def respond(commands: Commands | None, response: Response, now: datetime) -> Sequence[Event]:
    """It answers the newest command that fits; one that nobody gave, or too long ago, is not recorded."""
    for command in reversed(_answerable(commands, now)):
        if (command.kind, command.part_id, command.action) == ("write", response.actor_id, response.action):
            return (
                DeviceCommandAnswered(
                    command_id=command.id, status=response.status, value=response.value, error=response.error
                ),
            )
    return ()


def measure(commands: Commands | None, values: Mapping[UUID, float], now: datetime) -> Sequence[Event]:
    """Readings by sensor answer every trigger of the sensor that is open."""
    return [
        DeviceCommandAnswered(command_id=command.id, status="ok", value=values[command.part_id])
        for command in _answerable(commands, now)
        if command.kind == "trigger" and command.part_id is not None and command.part_id in values
    ]


def awaits_reading(commands: Commands | None, now: datetime) -> bool:
    return any(command.kind == "trigger" for command in _answerable(commands, now))


def answer(command_id: UUID, response: str) -> Sequence[Event]:
    """What a device said to a `command` or a `query`. Only the process that waits for the answer tells its outcome, and
    tells it once, so that no decision needs the state."""
    return (DeviceCommandAnswered(command_id=command_id, status="ok", value=response),)


def time_out(command_id: UUID) -> Sequence[Event]:
    return (DeviceCommandTimedOut(command_id=command_id),)


def give_up(command_id: UUID, reason: str) -> Sequence[Event]:
    """Nobody waits for the answer any more, or none can come."""
    return (DeviceCommandFailed(command_id=command_id, reason=reason),)


def _find(commands: Commands | None, command_id: UUID) -> OpenCommand | None:
    return next((command for command in commands.open if command.id == command_id), None) if commands else None


def _answerable(commands: Commands | None, now: datetime) -> Sequence[OpenCommand]:
    return [command for command in commands.open if now - command.issued_at <= ANSWERABLE] if commands else ()


# Evolve


def evolve(commands: Commands | None, event: Event) -> Commands | None:
    known = commands or Commands()
    match event:
        case DeviceCommandIssued(kind="command" | "query"):
            return commands
        case DeviceCommandIssued():
            issued = OpenCommand(
                id=event.command_id,
                kind=event.kind,
                part_id=event.part_id,
                action=event.action,
                issued_at=event.issued_at,
            )
            return Commands(open=(*_without(known, {event.command_id}), issued)[-MOST_OPEN:])
        case DeviceCommandPublished(command_id=id):
            return Commands(open=tuple(replace(one, published=True) if one.id == id else one for one in known.open))
        case DeviceCommandFailed(command_id=id) | DeviceCommandAnswered(command_id=id):
            return Commands(open=_without(known, {id}))
    return commands


def _without(commands: Commands, ids: Collection[UUID]) -> tuple[OpenCommand, ...]:
    return tuple(command for command in commands.open if command.id not in ids)


# A device may be asked thousands of times a minute, and each event takes microseconds to read.
COMMANDS = Decider("devices.command", Commands, evolve, snapshot_every=1_000)
