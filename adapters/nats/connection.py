"""The one place that connects to NATS.

A connection that is lost is thrown away and a new client is made, instead of letting nats-py mend the old one: a
mended client sends what it had buffered while it was away, long after the caller was told that it failed, keeps
subscriptions that look alive but lost their consumer, and gives up for good after one refused login.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from time import monotonic
from types import TracebackType

from nats.aio.client import Client
from nats.errors import Error as NatsError

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
CLOSE_SECONDS = 1.5

log = logging.getLogger("tidemark.nats")


class NatsConnection:
    """Connects in the background, for ever, as long as it is open: `async with NatsConnection(url, name) as nats`.

    Opening returns at once, whether NATS is there or not. `url` may name several servers, separated by commas.
    """

    def __init__(self, url: str, name: str) -> None:
        self._servers = [server.strip() for server in url.split(",")]
        self._name = name
        self._client: Client | None = None
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "NatsConnection":
        self._keeper = asyncio.create_task(self._keep_connected(), name="nats connection")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Sends what was published, then closes; within two seconds even if the server does not answer."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        client, self._client = self._client, None
        if client is not None:
            await _close(client)

    @property
    def connected(self) -> bool:
        """Whether NATS can be used now: for readiness."""
        return self._client is not None and self._client.is_connected

    async def client(self) -> Client:
        """The connected client, waited for if need be. It ends with its connection: ask again after any error."""
        while self._client is None or not self._client.is_connected:
            await self._changed.wait()
        return self._client

    async def clients(self) -> AsyncIterator[Client]:
        """Every client there will be, one after the other, each once: the place to make subscriptions anew."""
        last: Client | None = None
        while True:
            client = await self.client()
            if client is last:
                await self._changed.wait()
            else:
                last = client
                yield client

    async def _keep_connected(self) -> None:
        pause, refused = FIRST_PAUSE, False
        while True:
            closed = asyncio.Event()
            client = Client()
            try:
                await self._connect(client, closed)
            except (NatsError, OSError, TimeoutError) as error:
                if not refused:
                    log.warning("cannot connect to NATS at %s (%s), trying on", self.address, _described(error))
                refused = True
                await _close(client)
            else:
                log.info("connected to NATS at %s", self.address)
                refused, since = False, monotonic()
                self._set(client)
                await _lost(client, closed)
                self._set(None)
                log.warning("lost NATS at %s (%s), reconnecting", self.address, _described(client.last_error))
                if monotonic() - since > LONGEST_PAUSE:
                    pause = FIRST_PAUSE
            # Jitter, so that after a restart of the server not everybody is back in the same instant.
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _connect(self, client: Client, closed: asyncio.Event) -> None:
        async def when_closed() -> None:
            closed.set()

        async def when_failed(error: Exception) -> None:
            # Loss is logged once, by the loop above; what remains are slow consumers and refused permissions.
            if client.is_connected:
                log.warning("NATS reported: %s", _described(error))

        await client.connect(
            self._servers,
            name=self._name,
            allow_reconnect=False,
            # Each server twice, without a pause between: pausing is the loop's business.
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=2,
            # A peer that vanished silently is noticed within half a minute.
            ping_interval=10,
            max_outstanding_pings=2,
            closed_cb=when_closed,
            error_cb=when_failed,
        )

    def _set(self, client: Client | None) -> None:
        self._client = client
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def address(self) -> str:
        """Where it connects, without user and password: fit for logs."""
        return ",".join(server.rpartition("//")[2].rpartition("@")[2] for server in self._servers)


async def _lost(client: Client, closed: asyncio.Event) -> None:
    # When the server dies under load, nats-py may fail in its own closing and never call back: hence the look.
    while client.is_connected:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await closed.wait()


async def _close(client: Client) -> None:
    with suppress(NatsError, OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            if client.is_connected:
                await client.drain()
    with suppress(NatsError, OSError, TimeoutError):
        async with asyncio.timeout(0.4):
            await client.close()


def _described(error: Exception | None) -> str:
    return f"{type(error).__name__}: {error}" if error else "closed by the server"
