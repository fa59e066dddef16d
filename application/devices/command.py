"""What people and programs ask of devices, and what devices answer. Asking is recorded here and sent elsewhere:
`dispatch.py` does both in their order."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, UnsetType

from application.command import Aggregates, Change, Command, Handler, change
from domain.decider import Decider
from domain.devices import command as commands
from domain.devices import device
from domain.devices.actor import ACTOR
from domain.devices.command import COMMANDS, DeviceCommandIssued, PartNotInServiceError, Response
from domain.devices.device import DEVICE
from domain.devices.part import Part
from domain.devices.sensor import SENSOR
from domain.identifiers import commands_id


class IssueCommand(Command):
    """A sensor is to be read (`trigger`), or an actor to do something (`write`)."""

    command_id: UUID
    kind: Literal["trigger", "write"]
    part_id: UUID
    action: str
    value: Any | UnsetType = UNSET


_KIND_OF_PART: Mapping[str, Decider[Part]] = {"trigger": SENSOR, "write": ACTOR}


def issue_command(command: IssueCommand, aggregates: Aggregates) -> Sequence[Change]:
    part = aggregates.find(_KIND_OF_PART[command.kind], command.part_id)
    if part is None or part.retired:
        raise PartNotInServiceError("There is no such sensor or actor in service.")
    asked = DeviceCommandIssued(
        device_id=part.device_id,
        command_id=command.command_id,
        kind=command.kind,
        part_id=command.part_id,
        action=command.action,
        value=command.value,
        issued_at=aggregates.now,
    )
    stream = commands_id(part.device_id)
    issued = change(COMMANDS, stream, commands.issue(aggregates.find(COMMANDS, stream), asked))
    if command.kind != "trigger":
        return [issued]
    return [issued, change(DEVICE, part.device_id, device.await_answer(aggregates.find(DEVICE, part.device_id)))]


class ConfirmCommand(Command):
    """The broker took it."""

    device_id: UUID
    command_id: UUID


def confirm_command(command: ConfirmCommand, aggregates: Aggregates) -> Sequence[Change]:
    stream = commands_id(command.device_id)
    return [change(COMMANDS, stream, commands.confirm(aggregates.find(COMMANDS, stream), command.command_id))]


class FailCommand(Command):
    """It could not be published."""

    device_id: UUID
    command_id: UUID
    reason: str


def fail_command(command: FailCommand, aggregates: Aggregates) -> Sequence[Change]:
    stream = commands_id(command.device_id)
    asked = aggregates.find(COMMANDS, stream)
    return [change(COMMANDS, stream, commands.fail(asked, command.command_id, command.reason))]


class ReportResponse(Command):
    """A device says what became of a write. It speaks for its own actors only."""

    device_id: UUID
    response: Response


def report_response(command: ReportResponse, aggregates: Aggregates) -> Sequence[Change]:
    # A command is for a part of its device, so the device's own stream settles whose actor it is.
    stream = commands_id(command.device_id)
    asked = aggregates.find(COMMANDS, stream)
    return [change(COMMANDS, stream, commands.respond(asked, command.response, aggregates.now))]


class AskDevice(Command):
    """A connected device is to do something (`command`) or to tell something (`query`). `device_id` is that of the
    registered device, else the stream of its connections."""

    device_id: UUID
    command_id: UUID
    kind: Literal["command", "query"]
    payload: str


def ask_device(command: AskDevice, aggregates: Aggregates) -> Sequence[Change]:
    asked = DeviceCommandIssued(
        device_id=command.device_id,
        command_id=command.command_id,
        kind=command.kind,
        action="",
        value=command.payload,
        issued_at=aggregates.now,
    )
    return [change(COMMANDS, commands_id(command.device_id), (asked,))]


class ConcludeCommand(Command):
    """What came of it: the device's `response`; or the `reason` why there is none; or neither, as it did not answer in
    time."""

    device_id: UUID
    command_id: UUID
    response: str | None = None
    reason: str | None = None


def conclude_command(command: ConcludeCommand, aggregates: Aggregates) -> Sequence[Change]:
    if command.response is not None:
        events = commands.answer(command.command_id, command.response)
    elif command.reason is not None:
        events = commands.give_up(command.command_id, command.reason)
    else:
        events = commands.time_out(command.command_id)
    return [change(COMMANDS, commands_id(command.device_id), events)]


HANDLERS: Mapping[type[Command], Handler] = {
    IssueCommand: issue_command,
    ConfirmCommand: confirm_command,
    FailCommand: fail_command,
    ReportResponse: report_response,
    AskDevice: ask_device,
    ConcludeCommand: conclude_command,
}
