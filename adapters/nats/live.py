"""The port LiveEvents: new events from the stream EVENTS, for projections that are at the end of the log.

Reading headers in Python is slow: a stream comes in at 17,000 events/s, where the log is read and decoded at 116,000
(docs/adr/0008). So this feed serves the calm, when it is the shortest way and costs the database nothing,
and raises BehindError when the log is the better source.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from adapters.nats.connection import NatsConnection
from adapters.nats.messages import STREAM, recorded, source_of
from adapters.nats.stream import API_SECONDS
from application.ports import BehindError
from domain.catalogue import Catalogue, UnknownTopicError
from domain.event import Recorded

# Further apart than this, reading the log is faster than waiting for messages.
NEAR = 2_000

# A standing request asks for so many messages; the next is made when half of them came, or when it has expired.
REQUEST = 500
REQUEST_SECONDS = 5.0

# How long a stream that lags behind the log, or is another log's, is left alone.
AVOID_SECONDS = 1.0


class NatsLiveEvents:
    """Fills LiveEvents over the durable pull consumer `name`. For one task; `await close()` at the end.

    The consumer begins where the caller is, and is made anew whenever the caller, the stream or the connection went
    elsewhere. `identity` tells which log this is: a stream that copies another is never listened to.
    """

    def __init__(
        self,
        connection: NatsConnection,
        catalogue: Catalogue,
        identity: Callable[[], Awaitable[str]],
        name: str = "projections",
    ) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._identity = identity
        self._name = name
        self._consumer: _Consumer | None = None
        self._behind_until = 0
        self._avoid_until = 0.0

    async def close(self) -> None:
        """Stops listening. The consumer stays in the stream, where it shows how far it got."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.close()

    async def fetch(self, after: int, limit: int, timeout: float) -> Sequence[Recorded]:
        """See LiveEvents. May also raise LogUnavailableError, when it has to learn which log this is."""
        if after < self._behind_until:
            raise BehindError(f"position {self._behind_until} is sooner reached by the log")
        if asyncio.get_running_loop().time() < self._avoid_until:
            raise BehindError("the stream was no good copy of the log a moment ago")
        if not self._connection.connected:
            raise BehindError("NATS is away")
        try:
            async with asyncio.timeout(timeout):
                return await self._fetch(after, limit)
        except NatsError as error:
            await self.close()
            raise BehindError(f"NATS failed: {error}") from error
        except TimeoutError:
            return ()
        except OSError as error:
            await self.close()
            raise BehindError(f"NATS failed: {error}") from error

    async def _fetch(self, after: int, limit: int) -> Sequence[Recorded]:
        while True:
            consumer = self._consumer
            if consumer is None or consumer.broken or not consumer.client.is_connected:
                await self.close()
                consumer = self._consumer = await self._begin(after)
            await consumer.acknowledge(after)
            consumer.arrived.clear()
            if events := await self._take(consumer, after, limit):
                return events
            await consumer.request()
            with suppress(TimeoutError):
                async with asyncio.timeout(REQUEST_SECONDS):
                    await consumer.arrived.wait()

    async def _take(self, consumer: "_Consumer", after: int, limit: int) -> list[Recorded]:
        """What follows the position among the messages that came."""
        events: list[Recorded] = []
        while consumer.waiting and len(events) < limit:
            message = consumer.waiting[0]
            position, pending = message.metadata.sequence.stream, message.metadata.num_pending
            if position <= after:
                consumer.take()  # the caller has read it in the log meanwhile
                continue
            near = position == after + 1 and pending <= NEAR
            event = self._decoded(message, consumer.source) if near else None
            if event is None:
                if events:
                    break  # these first; what is wrong is said next time
                await self._refuse(position, pending, near)
            else:
                consumer.take()
                events.append(event)
                after = position
        return events

    async def _refuse(self, position: int, pending: int, near: bool) -> None:
        if near:
            # Its private fields, or data too large for a message: the messages behind it will do again.
            raise BehindError(f"the event at position {position} is complete in the log only")
        await self.close()
        self._behind_until = position - 1 + max(0, pending - NEAR // 2)
        raise BehindError(f"position {position} comes next, with {pending} more behind it")

    def _decoded(self, message: Msg, source: str) -> Recorded | None:
        headers = message.headers or {}
        if headers.get("ce-source") != source:
            return None
        try:
            return recorded(self._catalogue, headers, message.data)
        except (UnknownTopicError, KeyError, ValueError):  # not made by a relay of this version
            return None

    async def _begin(self, after: int) -> "_Consumer":
        """Makes the consumer behind the position and listens to it, if it is worth while."""
        source = source_of(await self._identity())
        client = await self._connection.client()
        stream = client.jetstream(timeout=API_SECONDS)
        try:
            state = (await stream.stream_info(STREAM)).state
        except NotFoundError:
            raise self._avoided("there is no stream") from None
        if state.last_seq < after - NEAR:
            raise self._avoided(f"the stream is at {state.last_seq} only")
        if state.last_seq > after + NEAR:
            self._behind_until = state.last_seq - NEAR // 2
            raise BehindError(f"{state.last_seq - after} events follow")
        with suppress(NotFoundError):
            await stream.delete_consumer(STREAM, self._name)
        await stream.add_consumer(
            STREAM,
            ConsumerConfig(
                durable_name=self._name,
                description="The live feed of the read models, which read the log when this is not enough.",
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=after + 1,
                ack_policy=AckPolicy.ALL,
                ack_wait=60,
                max_ack_pending=10 * REQUEST,
            ),
        )
        consumer = _Consumer(client, self._name, source)
        consumer.subscription = await client.subscribe(f"{consumer.inbox}.*", cb=consumer.when_delivered)
        return consumer

    def _avoided(self, reason: str) -> BehindError:
        self._avoid_until = asyncio.get_running_loop().time() + AVOID_SECONDS
        return BehindError(reason)


@dataclass(eq=False)
class _Consumer:
    """The durable consumer as it delivers over one connection."""

    client: Client
    name: str
    source: str
    subscription: Subscription | None = None
    waiting: deque[Msg] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False

    def __post_init__(self) -> None:
        self.inbox = self.client.new_inbox()
        self._taken: deque[tuple[int, str]] = deque()
        self._requests = 0
        self._expected = 0
        self._requested_at = 0.0

    async def when_delivered(self, message: Msg) -> None:
        headers = message.headers or {}
        if "Status" not in headers:
            self._expected -= 1
            self.waiting.append(message)
        elif headers["Status"] == "408" or "exceeded" in headers.get("Description", "").lower():
            # Expired, or too much unacknowledged. Older requests than the last do not need a successor.
            if message.subject == f"{self.inbox}.{self._requests}":
                self._expected = 0
        else:
            self.broken = True  # the consumer, the stream or JetStream is gone
        self.arrived.set()

    def take(self) -> None:
        message = self.waiting.popleft()
        self._taken.append((message.metadata.sequence.stream, message.reply))

    async def acknowledge(self, position: int) -> None:
        reply = ""
        while self._taken and self._taken[0][0] <= position:
            reply = self._taken.popleft()[1]
        if reply:
            await self.client.publish(reply)  # stands for all before it, too

    async def request(self) -> None:
        """Keeps a request standing, so that an event is pushed the moment it is stored."""
        now = asyncio.get_running_loop().time()
        if self._expected > REQUEST // 2 and now - self._requested_at < REQUEST_SECONDS:
            return
        self._requests += 1
        self._expected, self._requested_at = REQUEST, now
        await self.client.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{self.name}",
            msgspec.json.encode({"batch": REQUEST, "expires": int(REQUEST_SECONDS * 1e9)}),
            f"{self.inbox}.{self._requests}",
        )

    async def close(self) -> None:
        if self.subscription is not None:
            with suppress(NatsError, OSError):
                await self.subscription.unsubscribe()
