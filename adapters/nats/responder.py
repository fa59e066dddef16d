"""Takes requests of other processes over NATS, each on its own: one that takes long keeps no other waiting."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from adapters.nats.connection import NatsConnection

Answer = Callable[[Msg], Awaitable[None]]

log = logging.getLogger("tidemark.nats")


class Responder:
    """`await responder.run()` in a task, cancelled to stop. Several with the same `queue` share the requests. Whoever
    takes them at times only uses `take()`, cancelled to take no more, and `close()` at the end.

    `answers` says by subject who answers; an answer that cannot be given because NATS is gone is nobody's fault.
    """

    def __init__(self, connection: NatsConnection, queue: str, answers: Mapping[str, Answer]) -> None:
        self._connection = connection
        self._queue = queue
        self._answers = answers
        self._answering: set[asyncio.Task[None]] = set()
        self._subscriptions: list[Subscription] = []
        self.serving = False

    async def run(self) -> None:
        try:
            await self.take()
        finally:
            await self.close()

    async def take(self) -> None:
        """Cancelled, it leaves further requests to others, and those that it has taken are answered."""
        try:
            async for client in self._connection.clients():
                self.serving = False
                await self._serve(client)
        finally:
            self.serving = False
            for subscription in self._subscriptions:
                with suppress(NatsError, OSError):  # of a client that may be gone by now
                    await subscription.unsubscribe()

    async def close(self) -> None:
        """Gives up what is not answered yet."""
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    async def _serve(self, client: Client) -> None:
        self._subscriptions.clear()  # those of another client are gone with it
        try:
            for subject, answer in self._answers.items():
                self._subscriptions.append(await client.subscribe(subject, queue=self._queue, cb=self._begin(answer)))
            await client.flush()
            self.serving = True
        except (NatsError, OSError, TimeoutError) as error:
            log.warning("cannot take requests of other processes (%s)", type(error).__name__)

    def _begin(self, answer: Answer) -> Answer:
        async def begin(request: Msg) -> None:
            task = asyncio.create_task(_answered(answer, request))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

        return begin


async def _answered(answer: Answer, request: Msg) -> None:
    with suppress(NatsError, OSError):  # the connection is gone, and the caller learns that by itself
        await answer(request)
