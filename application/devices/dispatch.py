"""From what somebody asks to what devices hear (contract 3.1): first recorded, then published, then recorded how that
went, and only then answered."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from application.command import Command
from application.devices.command import ConfirmCommand, FailCommand, IssueCommand
from application.executor import CommandConflictError, CommandExecutor, Overloaded
from application.ports import Clock, DevicePublisher, LogUnavailableError, NotPublishedError
from domain.devices.command import DeviceCommandIssued
from domain.event import Origin


class SensorTrigger(msgspec.Struct, tag_field="type", tag="sensor_trigger", frozen=True):
    sensor_id: UUID
    action: str
    requested_at: datetime


class ActorCommand(msgspec.Struct, tag_field="type", tag="actor_command", frozen=True):
    actor_id: UUID
    action: str
    requested_at: datetime
    value: Any | UnsetType = UNSET


class Ping(msgspec.Struct, tag_field="type", tag="ping", frozen=True):
    timestamp: datetime


class Dispatcher:
    """Sends to devices. Raises NotPublishedError when they cannot be reached, and what the executor raises."""

    def __init__(self, executor: CommandExecutor, publisher: DevicePublisher, clock: Clock) -> None:
        self._executor = executor
        self._publisher = publisher
        self._clock = clock

    async def send(self, command: IssueCommand, origin: Origin) -> int:
        """Returns the position in the log of the command, when the broker has it."""
        receipt = await self._executor.execute(command, origin)
        issued = receipt.events[0]
        assert isinstance(issued, DeviceCommandIssued)
        try:
            await self._publisher.publish(msgspec.json.encode(_message(issued)))
        except NotPublishedError as error:
            failed = FailCommand(device_id=issued.device_id, command_id=issued.command_id, reason=str(error))
            await self._record(failed, origin)
            raise
        confirmed = ConfirmCommand(device_id=issued.device_id, command_id=issued.command_id)
        return await self._record(confirmed, origin) or receipt.position

    async def ping(self) -> datetime:
        """Proves that the broker can be reached; returns the instant that the message names."""
        now = self._clock()
        await self._publisher.publish(msgspec.json.encode(Ping(now)))
        return now

    async def _record(self, outcome: Command, origin: Origin) -> int | None:
        """What happened has happened, and the caller is told so, even if the log is away just now."""
        try:
            return (await self._executor.execute(outcome, origin)).position
        except (LogUnavailableError, CommandConflictError, Overloaded):
            return None


def _message(issued: DeviceCommandIssued) -> SensorTrigger | ActorCommand:
    assert issued.part_id is not None
    if issued.kind == "trigger":
        return SensorTrigger(issued.part_id, issued.action, issued.issued_at)
    return ActorCommand(issued.part_id, issued.action, issued.issued_at, issued.value)
