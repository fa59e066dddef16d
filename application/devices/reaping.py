"""Links whose holder is gone are closed on the record by somebody else, since the holder cannot do it any more."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from time import monotonic
from typing import Protocol
from uuid import UUID

from application.devices.link import CloseLink
from application.executor import CommandConflictError, CommandExecutor, Overloaded
from application.ports import LogUnavailableError
from domain.event import Origin

REASON = "the server that held it is gone"

LOOK_SECONDS = 2.0
# A living holder's sign is away for as long as its connection to the database takes to be made again.
GRACE_SECONDS = 10.0
# After a look that took so long, or came so late, nobody can tell for how long signs were away.
LONGEST_LOOK_SECONDS = 4.0
LONGEST_GAP_SECONDS = 8.0
AT_ONCE = 500

ORIGIN = Origin(actor="system:reaper", source="system", correlation_id="reaper")


class HeldLink(Protocol):
    """A link as the read model has it."""

    @property
    def device(self) -> str: ...

    @property
    def device_id(self) -> UUID | None: ...

    @property
    def connection_id(self) -> UUID: ...

    @property
    def through(self) -> str: ...


class LinkReaper:
    """`await reaper.run()` in a task, cancelled to stop. Several do no harm: a link is closed once.

    `holders` and `held_by` are what the read model has, `living` tells which of these holders hold up their sign.
    """

    def __init__(
        self,
        executor: CommandExecutor,
        holders: Callable[[], Awaitable[Sequence[str]]],
        held_by: Callable[[str], Awaitable[Sequence[HeldLink]]],
        living: Callable[[Sequence[str]], Awaitable[Collection[str]]],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._executor = executor
        self._holders = holders
        self._held_by = held_by
        self._living = living
        self._clock = clock
        self._missing_since: dict[str, float] = {}
        self._looked_at: float | None = None

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except LogUnavailableError:
                self._missing_since = {}  # the signs were away as well, so everybody has all the time again
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Raises LogUnavailableError."""
        began = self._clock()
        if self._looked_at is None or began - self._looked_at > LONGEST_GAP_SECONDS:
            self._missing_since = {}
        # Over MQTT nobody holds anything.
        holders = [holder for holder in await self._holders() if holder]
        living = await self._living(holders)
        now = self._clock()
        if now - began > LONGEST_LOOK_SECONDS:
            self._missing_since = {}
        self._missing_since = {
            holder: self._missing_since.get(holder, now) for holder in holders if holder not in living
        }
        for holder, since in self._missing_since.items():
            if now - since >= GRACE_SECONDS:
                await self._close(await self._held_by(holder))
        self._looked_at = self._clock()

    async def _close(self, links: Sequence[HeldLink]) -> None:
        """What cannot be recorded now is found again at the next look."""
        for start in range(0, len(links), AT_ONCE):
            closing = [
                CloseLink(
                    device=link.device,
                    device_id=link.device_id,
                    connection_id=link.connection_id,
                    through=link.through,
                    reason=REASON,
                )
                for link in links[start : start + AT_ONCE]
            ]
            outcomes = await asyncio.gather(
                *(self._executor.execute(command, ORIGIN) for command in closing), return_exceptions=True
            )
            for outcome in outcomes:
                if isinstance(outcome, BaseException) and not isinstance(outcome, (CommandConflictError, Overloaded)):
                    raise outcome
