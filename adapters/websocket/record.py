"""Links on the record: opened before the device is told, closed whatever ended them, even if the log is away then."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple
from uuid import UUID

from adapters.websocket.links import OpenLink
from application.devices import link as links
from application.executor import CommandConflictError, CommandExecutor, Overloaded
from application.ports import LogUnavailableError
from domain.devices.link import LinkClosed, LinkOpened
from domain.event import Origin

THROUGH = "websocket"

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
AT_ONCE = 500
FLUSH_SECONDS = 5.0

PASSING = (LogUnavailableError, CommandConflictError, Overloaded)

log = logging.getLogger("tidemark.websocket")


class Recorded(NamedTuple):
    """Where a link is on the record, the registered device that it is of, and the links that it replaced."""

    position: int
    device_id: UUID | None
    replaced: Sequence[LinkClosed]


class LinkRecord:
    """Use `running()` around its life, inside that of the executor.

    What waits to be closed is never more than what could be opened, since nothing opens while the log is away.
    """

    def __init__(self, executor: CommandExecutor, holder: str) -> None:
        self._executor = executor
        self._holder = holder
        self._leaving: deque[links.CloseLink] = deque()
        self._came = asyncio.Event()
        self._stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator["LinkRecord"]:
        """On leaving, what is closed is still recorded, for some seconds at most; what is left then is closed by
        whoever notices that this process is gone."""
        task = asyncio.create_task(self._run(), name="links on the record")
        try:
            yield self
        finally:
            self._stopping = True
            self._came.set()
            await asyncio.wait({task}, timeout=FLUSH_SECONDS)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def open(self, link: OpenLink) -> Recorded:
        """Raises what the executor raises."""
        command = links.OpenLink(
            device=link.device,
            connection_id=link.connection_id,
            holder=self._holder,
            through=THROUGH,
            name=link.name,
            type=link.type,
            user_agent=link.user_agent,
            remote_address=link.remote_address,
            payload_mode=link.payload_mode,
        )
        receipt = await self._executor.execute(command, _origin(link.device, link.connection_id))
        opened = next((event for event in receipt.events if isinstance(event, LinkOpened)), None)
        replaced = [event for event in receipt.events if isinstance(event, LinkClosed)]
        return Recorded(receipt.position, opened.device_id if opened else None, replaced)

    def close(self, device: str, device_id: UUID | None, connection_id: UUID, reason: str) -> None:
        """As soon as the log takes it."""
        self._leaving.append(
            links.CloseLink(
                device=device, device_id=device_id, connection_id=connection_id, through=THROUGH, reason=reason
            )
        )
        self._came.set()

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while self._leaving or not self._stopping:
            if not self._leaving:
                self._came.clear()
                await self._came.wait()
                continue
            batch = [self._leaving.popleft() for _ in range(min(AT_ONCE, len(self._leaving)))]
            left = await self._record(batch)
            self._leaving.extendleft(reversed(left))
            if left:
                await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE) if left else FIRST_PAUSE

    async def _record(self, batch: list[links.CloseLink]) -> list[links.CloseLink]:
        """Those that have to be tried again."""
        outcomes = await asyncio.gather(
            *(self._executor.execute(command, _origin(command.device, command.connection_id)) for command in batch),
            return_exceptions=True,
        )
        for command, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, PASSING):
                log.error("the end of link %s cannot be recorded", command.connection_id, exc_info=outcome)
        return [command for command, outcome in zip(batch, outcomes, strict=True) if isinstance(outcome, PASSING)]


def _origin(device: str, connection_id: UUID) -> Origin:
    # One conversation from the connection's beginning to its end.
    return Origin(actor=f"device:{device}", source="websocket", correlation_id=connection_id.hex)
