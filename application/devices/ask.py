"""From what somebody asks a connected device to its answer: recorded, sent, answered, recorded, and only then told."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from time import monotonic
from typing import Any, Literal, TypeVar
from uuid import UUID

from application.command import Command, Receipt
from application.devices.command import AskDevice, ConcludeCommand
from application.executor import CommandConflictError, CommandExecutor, Overloaded
from application.ports import (
    DeviceLine,
    DeviceLostError,
    DeviceSilentError,
    LogUnavailableError,
    NotConnectedError,
    NotPublishedError,
    Question,
    Road,
)
from domain.event import Origin

T = TypeVar("T")


class Asker:
    """`waiting` counts, by kind, the requests that wait for a device now."""

    def __init__(self, executor: CommandExecutor, line: DeviceLine) -> None:
        self._executor = executor
        self._line = line
        self._recording: set[asyncio.Task[Any]] = set()
        self.waiting: Counter[str] = Counter()

    async def ask(
        self,
        road: Road,
        device_id: UUID,
        kind: Literal["command", "query"],
        payload: str,
        command_id: UUID,
        origin: Origin,
        until: float,
    ) -> str:
        """The device's answer, at the latest at `until` (`time.monotonic`). Raises what the line raises, and what the
        executor raises when nothing could be recorded, and then nothing was sent. Cancelled, it records that nobody
        waits any more."""
        outcome = ConcludeCommand(device_id=device_id, command_id=command_id, reason="nobody waits for the answer")
        asked = AskDevice(device_id=device_id, command_id=command_id, kind=kind, payload=payload)
        issuing = self._record(self._executor.execute(asked, origin))
        try:
            await asyncio.shield(issuing)
        except asyncio.CancelledError:
            self._record(self._conclude(outcome, origin, issuing))
            raise
        self.waiting[kind] += 1
        try:
            if (left := until - monotonic()) <= 0:
                raise DeviceSilentError("Recording it took all the time there was.")
            response = await self._line.ask(road, Question(command_id, kind, payload), left)
            outcome = ConcludeCommand(device_id=device_id, command_id=command_id, response=response)
        except DeviceSilentError:
            outcome = ConcludeCommand(device_id=device_id, command_id=command_id)
            raise
        except (NotConnectedError, DeviceLostError, NotPublishedError) as error:
            outcome = ConcludeCommand(device_id=device_id, command_id=command_id, reason=str(error))
            raise
        finally:
            self.waiting[kind] -= 1
            await asyncio.shield(self._record(self._conclude(outcome, origin, issuing)))
        return response

    async def close(self) -> None:
        """Waits for what is being recorded."""
        while self._recording:
            await asyncio.wait(self._recording)

    def _record(self, recording: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """In a task of its own, since what was begun is recorded to its end even if the caller is gone."""
        task = asyncio.create_task(recording)
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)
        return task

    async def _conclude(self, outcome: Command, origin: Origin, issuing: "asyncio.Task[Receipt]") -> None:
        """What happened has happened, and the caller is told so, even if the log is away just now."""
        try:
            await issuing
            await self._executor.execute(outcome, origin)
        except (LogUnavailableError, CommandConflictError, Overloaded):
            return
