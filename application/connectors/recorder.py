"""Records what connections tell of their clients, however long the log is away."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from application.command import Command, Receipt
from application.connectors.pace import jittered
from application.connectors.thing import UpdateProperties
from application.executor import CommandConflictError, CommandExecutor, Overloaded
from application.ports import LogUnavailableError
from domain.connectors.properties import PropertyValue
from domain.connectors.thing import THING, Thing
from domain.event import Origin
from domain.identifiers import thing_stream_id

ACTOR: Final = "system:connectors"
# Updates that are recorded by one command, at most.
AT_ONCE: Final = 500
AGAIN_SECONDS: Final = 0.5


class _Update(NamedTuple):
    thing_id: UUID
    values: tuple[PropertyValue, ...]
    recorded: asyncio.Future[None]


class Recorder:
    """One for all clients of a process. Updates that come while others are being recorded are recorded together."""

    def __init__(self, executor: CommandExecutor) -> None:
        self._executor = executor
        self._gathered: list[_Update] = []
        self._recording: asyncio.Task[None] | None = None

    async def record(self, command: Command, origin: Origin | None = None) -> Receipt:
        """Raises the DomainError of the rule that refuses."""
        told = origin or _origin()
        while True:
            with suppress(LogUnavailableError, CommandConflictError, Overloaded):
                return await self._executor.submit(command, told)
            await asyncio.sleep(jittered(AGAIN_SECONDS))

    async def update(self, thing_id: UUID, values: Sequence[PropertyValue]) -> None:
        """Returns when they are on disk."""
        recorded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gathered.append(_Update(thing_id, tuple(values), recorded))
        if self._recording is None or self._recording.done():
            self._recording = asyncio.create_task(self._record_gathered(), name="updates of things")
        await recorded

    async def find_thing(self, thing_id: UUID) -> Thing | None:
        """As the log has it now."""
        while True:
            with suppress(LogUnavailableError):
                return await self._executor.find(THING, thing_stream_id(thing_id))
            await asyncio.sleep(jittered(AGAIN_SECONDS))

    async def close(self) -> None:
        """What is not recorded by then is not."""
        if self._recording is not None:
            self._recording.cancel()
            await asyncio.gather(self._recording, return_exceptions=True)

    async def _record_gathered(self) -> None:
        while self._gathered:
            batch, self._gathered = self._gathered[:AT_ONCE], self._gathered[AT_ONCE:]
            await self._record_updates(batch)

    async def _record_updates(self, batch: Sequence[_Update]) -> None:
        values: dict[UUID, tuple[PropertyValue, ...]] = {}
        for update in batch:
            values[update.thing_id] = values.get(update.thing_id, ()) + update.values
        try:
            await self.record(UpdateProperties(values=values))
        except Exception as defect:  # noqa: BLE001  # what one client told must not spoil what the others did
            if len(batch) > 1:
                for update in batch:
                    await self._record_updates([update])
            elif not batch[0].recorded.done():
                batch[0].recorded.set_exception(defect)
            return
        for update in batch:
            if not update.recorded.done():
                update.recorded.set_result(None)


def _origin() -> Origin:
    return Origin(actor=ACTOR, source="connector", correlation_id=str(uuid4()))
