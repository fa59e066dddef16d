"""From the processes that serve people to the gateway that holds the devices' connection: request/reply over NATS.

The caller gives a deadline (Unix time) with the request, and the gateway refuses what comes after it and gives up
publishing at it. So a caller that was told of a failure at the deadline, or later, is never contradicted by a message
that devices hear afterwards. That takes clocks that agree to a second; if they do not, the caller is told of
a failure where there need not be one, or waits a little longer.
"""

import logging
import time
from collections.abc import Awaitable, Callable

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from adapters.nats.connection import NatsConnection
from adapters.nats.responder import Responder
from application.ports import NotPublishedError

SUBJECT = "tidemark.rpc.publish"
QUEUE = "gateways"
DEADLINE = "Tidemark-Deadline"

# The broker has two seconds to confirm (contract 3.3). The gateway's answer may take a little longer than that.
PUBLISH_SECONDS = 2.0
ANSWER_SECONDS = 0.7

Publish = Callable[[bytes, float], Awaitable[None]]

log = logging.getLogger("tidemark.nats")


class _Answer(msgspec.Struct):
    error: str | None = None


class NatsDevicePublisher:
    """Fills DevicePublisher in a process without a gateway."""

    def __init__(self, connection: NatsConnection) -> None:
        self._connection = connection

    async def publish(self, payload: bytes) -> None:
        if not self._connection.connected:
            raise NotPublishedError("NATS is away")
        client = await self._connection.client()
        headers = {DEADLINE: f"{time.time() + PUBLISH_SECONDS:.3f}"}
        try:
            reply = await client.request(SUBJECT, payload, timeout=PUBLISH_SECONDS + ANSWER_SECONDS, headers=headers)
            error = msgspec.json.decode(reply.data, type=_Answer).error
        except NoRespondersError:
            raise NotPublishedError("no gateway is running") from None
        except (NatsError, OSError, TimeoutError, msgspec.DecodeError) as silence:
            raise NotPublishedError("the gateway did not answer in time") from silence
        if error is not None:
            raise NotPublishedError(error)


class DeviceRpc(Responder):
    """The gateway's side. Several gateways share the requests, so only one that can publish may take any."""

    def __init__(self, connection: NatsConnection, publish: Publish) -> None:
        super().__init__(connection, QUEUE, {SUBJECT: self._answer})
        self._publish = publish

    async def _answer(self, request: Msg) -> None:
        await request.respond(msgspec.json.encode(_Answer(await self._attempt(request))))

    async def _attempt(self, request: Msg) -> str | None:
        """What went wrong, None if nothing."""
        try:
            left = float((request.headers or {})[DEADLINE]) - time.time()
        except (KeyError, ValueError):
            return "the request has no deadline"
        if left <= 0:
            return "the request came too late"
        try:
            await self._publish(request.data, min(left, PUBLISH_SECONDS))
        except NotPublishedError as error:
            return str(error)
        return None
