"""What every copy of the log in NATS has in common: one process of several works, for ever, and begins again after
every trouble."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from time import monotonic

from nats.aio.client import Client
from nats.errors import Error as NatsError

from adapters.eventstore.lease import Lease, LeaseLostError
from adapters.nats.connection import NatsConnection
from adapters.nats.publisher import OutOfStepError
from application.ports import LogUnavailableError

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

log = logging.getLogger("tidemark.nats")


class CannotGoOnError(Exception):
    """This process cannot; a newer one perhaps can."""


class Copier:
    """Of several on one log the holder of the lease works, the others wait to take over. Two that work at once, because
    one does not know yet that it lost the lease, must do no harm."""

    def __init__(self, connection: NatsConnection, lease: Lease) -> None:
        self._connection = connection
        self._lease = lease
        self.working = False

    async def run(self, copy: Callable[[Client], Awaitable[None]], while_away: Callable[[], Awaitable[None]]) -> None:
        """Until cancelled. `copy` copies for as long as it can; `while_away` is called every second while NATS is."""
        said = ""
        while True:
            try:
                async with self._lease.held():
                    self.working = True
                    log.info("the %s works in this process", self._lease.name)
                    await self._work(copy, while_away)
            except LeaseLostError:
                pass  # said by the lease; wait for it again
            except CannotGoOnError as reason:
                # Letting go of the lease lets a newer process continue, which happens in every rolling update.
                if str(reason) != said:
                    log.error("%s. A newer version of Tidemark must relay it; this one tries on.", reason)
                said = str(reason)
                await asyncio.sleep(LONGEST_PAUSE)
            finally:
                self.working = False

    async def _work(self, copy: Callable[[Client], Awaitable[None]], while_away: Callable[[], Awaitable[None]]) -> None:
        """Copies until the lease is lost, beginning again after every trouble."""
        pause = FIRST_PAUSE
        while True:
            stop_if_cancelled()
            started = monotonic()
            try:
                await copy(await self._client(while_away))
            except OutOfStepError as reason:
                log.warning("the stream and the %s disagree (%s), looking again", self._lease.name, reason)
            except (NatsError, OSError, TimeoutError) as error:
                if self._connection.connected:  # else the connection has said so
                    log.warning(
                        "the %s was interrupted (%s: %s), going on", self._lease.name, type(error).__name__, error
                    )
            except LogUnavailableError:
                pass  # the lease goes with the database, and says so
            if monotonic() - started > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _client(self, while_away: Callable[[], Awaitable[None]]) -> Client:
        while True:
            try:
                async with asyncio.timeout(1.0):
                    return await self._connection.client()
            except TimeoutError:
                await while_away()


def stop_if_cancelled() -> None:
    """Both nats-py and psycopg can swallow a cancellation that comes in an unlucky moment; it is obeyed here."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
