"""Signing the log as it grows, behind everybody who writes to it, and copying what was signed to where it is safe."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Protocol, TypeVar

from adapters.eventstore.lease import Lease, LeaseLostError
from adapters.proof.ledger import Ledger, NotInOrderError
from adapters.proof.offline import Checkpoint
from application.ports import LogUnavailableError

T = TypeVar("T")

LOOK_SECONDS = 1.0
LAST_SECONDS = 1.5
# So many checkpoints are held while they are copied.
AT_ONCE = 20

log = logging.getLogger("tidemark.proof")


class CopyFailedError(Exception):
    """It cannot be written now. Says why."""


class CheckpointCopy(Protocol):
    """Where checkpoints are copied to, in order. Each may raise CopyFailedError or OSError."""

    name: str

    async def last(self) -> Checkpoint | None:
        """The newest one there, with or without its marks."""

    async def append(self, checkpoint: Checkpoint) -> None: ...


class Notary:
    """`await notary.run()` in a task, cancelled to stop; then `await notary.conclude()` when nobody writes any more.

    Of several on one log the holder of the lease signs: when so many events wait, or any have waited for so long.
    """

    def __init__(
        self, ledger: Ledger, lease: Lease, copies: Sequence[CheckpointCopy], most: int, seconds: float
    ) -> None:
        self._ledger = ledger
        self._lease = lease
        self._copies = copies
        self._most = most
        self._seconds = seconds
        self._copied: dict[str, int] = {}
        self._said: dict[str, str] = {}
        self._works = False

    async def run(self) -> None:
        while True:
            with suppress(LeaseLostError):
                async with self._lease.held():
                    self._works = True
                    log.info("the log is signed by this process")
                    await self._sign()
            self._works = False

    async def conclude(self) -> None:
        """Signs what was appended last, if this process was the one that signs. What there is no time for is signed by
        whoever comes next."""
        with suppress(TimeoutError, LogUnavailableError, NotInOrderError):
            if self._works:
                async with asyncio.timeout(LAST_SECONDS):
                    while await _in_thread(self._ledger.extend):
                        pass
                    _, number = await _in_thread(self._ledger.waiting)
                    await self._copy(number)
        self._ledger.close()

    async def _sign(self) -> None:
        quiet_at, newest = monotonic(), 0
        while True:
            try:
                waiting, number = await _in_thread(self._ledger.waiting)
                if waiting <= 0 or number != newest:
                    quiet_at, newest = monotonic(), number
                if waiting < 0:
                    self._say("the log", "the log is not signed any more: it ends before its last checkpoint does")
                if waiting >= self._most or (waiting > 0 and monotonic() - quiet_at >= self._seconds):
                    await _in_thread(self._ledger.extend)
                    continue  # there may be more, and there is something to copy
                await self._copy(number)
            except LogUnavailableError:
                pass  # the lease goes with the database, and says so
            except NotInOrderError as reason:
                self._say("the log", f"the log is not signed any more: {reason}")
            await asyncio.sleep(min(LOOK_SECONDS, self._seconds))

    async def _copy(self, number: int) -> None:
        """Brings the copies up to that checkpoint."""
        for copy in self._copies:
            if self._copied.get(copy.name, 0) == number:
                continue
            try:
                await self._bring(copy)
            except (CopyFailedError, OSError, ValueError, LookupError, TypeError) as reason:
                self._say(copy.name, f"{copy.name} is not written: {reason}")
            else:
                self._copied[copy.name] = number
                self._said.pop(copy.name, None)

    async def _bring(self, copy: CheckpointCopy) -> None:
        """Appends what the table has and the copy does not. Never changes what is there: it is the evidence."""
        last = await copy.last()
        number = last.number if last else 0
        if last is not None:
            ours = await _in_thread(partial(self._ledger.numbered, number))
            if ours is None or ours.statement != last.statement:
                raise CopyFailedError(
                    f"its checkpoint {number} is none of this log. Was the database restored from a backup, or made"
                    " anew? Put the copy away, and a new one is begun"
                )
        while following := await _in_thread(partial(self._ledger.following, number, AT_ONCE)):
            for checkpoint in following:
                await copy.append(checkpoint)
                number = checkpoint.number

    def _say(self, what: str, message: str) -> None:
        if self._said.get(what) != message:
            log.error("%s", message)
        self._said[what] = message


async def _in_thread(work: Callable[[], T]) -> T:
    """Whoever is cancelled waits for the thread, so that nobody begins the same again meanwhile."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
