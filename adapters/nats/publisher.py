"""Publishing into the stream with many messages in flight."""

import asyncio
from contextlib import suppress
from types import TracebackType

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import ConnectionClosedError
from nats.errors import Error as NatsError
from nats.protocol.command import hpub_cmd

from adapters.nats.messages import Message

# Messages that are sent and not yet known to be stored. JetStream refuses what exceeds 10,000 of them.
WINDOW = 5_000

# An acknowledgement is asked for every so many messages, and for the last one of a batch.
ACK_EVERY = 128

ACK_SECONDS = 5.0


class OutOfStepError(Exception):
    """The stream did not take a message as its next one, or nothing is known about it. Look where the stream is."""


class _Ack(msgspec.Struct):
    seq: int = 0
    error: dict[str, object] | None = None


class Publisher:
    """Publishes messages in the order of their positions; `async with` it on one client.

    Every message names the sequence that must precede it, so the acknowledgement of one message proves that all
    before it are stored: only every 128th asks for one, which is what makes it fast. A missing or bad one raises
    OutOfStepError, at the latest with the next call.
    """

    def __init__(self, client: Client, position: int) -> None:
        self.stored = position
        self._sent = position
        self._client = client
        self._inbox = client.new_inbox()
        self._answered = asyncio.Event()
        self._failure: str | None = None
        self._subscription: Subscription | None = None

    async def __aenter__(self) -> "Publisher":
        self._subscription = await self._client.subscribe(f"{self._inbox}.*", cb=self._when_answered)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._subscription is not None:
            with suppress(NatsError, OSError):
                await self._subscription.unsubscribe()

    async def publish(self, position: int, message: Message, last: bool) -> None:
        """Sends a message; waits only when the window is full. `last`: nothing follows soon."""
        asks = last or position % ACK_EVERY == 0
        reply = f"{self._inbox}.{position}" if asks else ""
        await _send(self._client, message, reply)
        self._sent = position
        if asks:
            await asyncio.sleep(0)  # publishing only fills a buffer: let it be sent, and let others work
        while position - self.stored >= WINDOW:
            await self._next_answer()

    async def settle(self) -> None:
        """Returns when everything sent is stored."""
        while self.stored < self._sent:
            await self._next_answer()

    async def _next_answer(self) -> None:
        if self._failure is None:
            try:
                # Not asyncio.wait_for, here and elsewhere: in Python 3.11 it forgets a cancellation that comes in the
                # same moment as what it waits for, and the relay would then never stop.
                async with asyncio.timeout(ACK_SECONDS):
                    await self._answered.wait()
            except TimeoutError:
                raise OutOfStepError(f"no acknowledgement within {ACK_SECONDS:.0f} s") from None
        self._answered.clear()
        if self._failure is not None:
            raise OutOfStepError(self._failure)

    async def _when_answered(self, answer: Msg) -> None:
        position = int(answer.subject.rpartition(".")[2])
        try:
            ack = _decode_ack(answer.data)
        except msgspec.DecodeError:
            ack = _Ack()  # an answer without content: no stream listens on the subject
        if ack.error is None and ack.seq == position:
            self.stored = max(self.stored, position)
        elif self._failure is None:
            self._failure = f"position {position} was not taken: {ack.error or 'no stream took it'}"
        self._answered.set()


async def _send(client: Client, message: Message, reply: str) -> None:
    """What `Client.publish` does, without checking and cleaning 15 headers that are clean by construction: that
    costs 16 µs a message, half of all the relay's work (docs/adr/0008)."""
    if not client.is_connected:
        raise ConnectionClosedError
    await client._send_command(hpub_cmd(message.subject, reply, message.headers, message.data))
    if reply:
        await client._flush_pending()


_decode_ack = msgspec.json.Decoder(_Ack).decode
