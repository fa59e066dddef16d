"""Whether what consumers were handed arrived. Only then is it done with when they ask for more.

Nobody can ask a consumer. So the process that answered it writes down that the network took all of the answer, and each
process looks there before the next poll is answered; what is not written down comes again. It is written behind the
answer, many at once, and its own answers a process remembers.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Protocol, TypeVar
from uuid import UUID

from application.ports import LogUnavailableError
from domain.streams.group import DeliveryUnsettledError, Outcome

T = TypeVar("T")

# Each time the consumer has been answered elsewhere meanwhile.
ATTEMPTS = 20
# For so long another process, or another request, may still be busy with writing down that its answer arrived.
PATIENCE_SECONDS = 0.25
LOOK_SECONDS = 0.01
PAUSE_SECONDS = 0.5
REMEMBERED = 10_000
KEPT_SECONDS = 86_400.0
FORGET_EVERY_SECONDS = 3_600.0


class DeliveryStore(Protocol):
    """Every call may raise LogUnavailableError."""

    async def note_arrived(self, deliveries: Mapping[str, UUID]) -> None:
        """These were the last that arrived, by consumer."""

    async def last_arrived(self, consumer_id: str) -> UUID | None: ...

    async def forget_arrived(self, seconds: float) -> None:
        """What arrived so long ago."""


class Deliveries:
    def __init__(self, store: DeliveryStore) -> None:
        self._store = store
        self._told: OrderedDict[UUID, bool] = OrderedDict()
        self._unwritten: dict[str, UUID] = {}
        self._wanted = asyncio.Event()

    def tell(self, consumer_id: str, delivery: UUID, *, arrived: bool) -> None:
        """What became of an answer of this process."""
        self._told[delivery] = arrived
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        if arrived:
            self._unwritten[consumer_id] = delivery
            self._wanted.set()

    async def settling(self, consumer_id: str, ask: Callable[[Outcome | None], Awaitable[T]]) -> T:
        """What is asked for, which is asked again with the outcome when that has to be known."""
        outcome = None
        for _ in range(ATTEMPTS):
            try:
                return await ask(outcome)
            except DeliveryUnsettledError as asked:
                outcome = await self.settle(asked.id, consumer_id)
        return await ask(outcome)

    async def settle(self, delivery: UUID | None, consumer_id: str) -> Outcome | None:
        """What became of the delivery, if there is one. Raises LogUnavailableError."""
        if delivery is None:
            return None
        return Outcome(id=delivery, arrived=await self._arrived(consumer_id, delivery))

    async def _arrived(self, consumer_id: str, delivery: UUID) -> bool:
        until = monotonic() + PATIENCE_SECONDS
        while True:
            told = self._told.get(delivery)
            if told is not None:
                return told
            if await self._store.last_arrived(consumer_id) == delivery:
                return True
            if monotonic() > until:
                return False
            await asyncio.sleep(LOOK_SECONDS)

    async def run(self) -> None:
        """Writes down until cancelled, and then what is left."""
        forgotten = monotonic()
        try:
            while True:
                await self._wanted.wait()
                try:
                    await self._write()
                    if monotonic() - forgotten > FORGET_EVERY_SECONDS:
                        forgotten = monotonic()
                        await self._store.forget_arrived(KEPT_SECONDS)
                except LogUnavailableError:
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            with suppress(LogUnavailableError):
                await self._write()

    async def _write(self) -> None:
        taken, self._unwritten = self._unwritten, {}
        self._wanted.clear()
        try:
            if taken:
                await self._store.note_arrived(taken)
        except BaseException:
            self._unwritten = taken | self._unwritten
            self._wanted.set()
            raise
