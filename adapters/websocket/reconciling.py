"""The links that this process holds and those that the record says it holds are made the same again.

They differ when the message that a link was replaced did not get through, when others took this process for gone, when
the device was removed, or when nobody knows whether a link was recorded before the log went away.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from adapters.websocket.links import RECORDED_AS_CLOSED, Links
from adapters.websocket.record import LinkRecord
from application.devices.reaping import HeldLink
from application.ports import LogUnavailableError

LOOK_SECONDS = 10.0


class LinkReconciler:
    """`await reconciler.run()` in a task, cancelled to stop. `position` tells how far the read model is that `held_by`
    asks; it is asked first."""

    def __init__(
        self,
        links: Links,
        record: LinkRecord,
        position: Callable[[], Awaitable[int]],
        held_by: Callable[[str], Awaitable[Sequence[HeldLink]]],
    ) -> None:
        self._links = links
        self._record = record
        self._position = position
        self._held_by = held_by
        self._strays: set[UUID] = set()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except LogUnavailableError:
                continue

    async def look(self) -> None:
        """Raises LogUnavailableError."""
        here = list(self._links)
        position = await self._position()
        held = {link.connection_id: link for link in await self._held_by(self._links.holder)}
        for open_link in here:
            if open_link.position <= position and open_link.connection_id not in held:
                self._links.close(open_link.connection_id, RECORDED_AS_CLOSED, "not on the record any more")
        # What has just ended may still be listed; what is listed twice has been missed.
        strays = {id for id in held if id not in self._links}
        for id in strays & self._strays:
            link = held[id]
            self._record.close(link.device, link.device_id, id, "connection lost")
        self._strays = strays
