"""One connection to the broker, with what aiomqtt 2.5 does not offer: acknowledging later, and the DUP flag.

aiomqtt acknowledges on arrival and hides the packet id; killing such a subscriber loses what it had taken. Below it
paho can do it. This file is the only one that reaches into aiomqtt (`_client`, `_disconnected`) and into paho
(`_create_socket`, `_packet_queue`, `_out_packet`, `_out_messages`, `_inflight_messages`); the pins in
pyproject.toml and tests/adapters/mqtt/test_session.py hold that together.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from uuid import uuid4

import aiomqtt
import paho.mqtt.client as paho

from adapters.mqtt.acknowledged import Acknowledged
from adapters.mqtt.broker import Broker
from adapters.mqtt.buffered import BufferedSocket
from application.ports import NotPublishedError

CONNECT_TIMEOUT = 5.0
# How long messages are taken before commits and everything else get their turn.
READ_SECONDS = 0.005
KEEPALIVE = 30
_PUBACK = 0x40
REFUSED = 0x80


class ConnectionLostError(Exception):
    """The broker is gone. What it had not been told as received, it delivers again."""


class Arrived(NamedTuple):
    """A message as the broker delivered it."""

    session: "Session"
    topic: str
    payload: bytes
    mid: int
    qos: int
    dup: bool
    retain: bool


class Will(NamedTuple):
    topic: str
    payload: bytes


Deliver = Callable[[Arrived], None]


class Session:
    """An open connection. Everything here is for the event loop's thread.

    `id` begins the correlation id of every message that came through it. `resumed` says that the broker still knew us.
    """

    def __init__(self, client: aiomqtt.Client, deliver: Deliver, ack_wait: float) -> None:
        self.id = uuid4().hex[:12]
        self.resumed = False
        self._client = client
        self._deliver = deliver
        self._paho: Any = client._client  # its types know nothing of what is private
        self._loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._published: dict[int, asyncio.Future[None]] = {}
        self._socket: BufferedSocket | None = None
        self._paused = False
        self._reading_on = False
        self._acknowledged = Acknowledged(ack_wait, self._loop.time)
        self._take_over()

    @property
    def is_open(self) -> bool:
        return not self._lost.done()

    async def lost(self) -> None:
        """Returns when the connection is gone."""
        await asyncio.shield(self._lost)

    def acknowledge(self, messages: Sequence[tuple[int, int]]) -> None:
        """Tells the broker that the messages (packet id, digest) are ours now, in one packet to the network for all.

        Nothing happens on a lost connection: its packet ids mean nothing on the next.
        """
        if self._lost.done() or not messages:
            return
        for mid, digest in messages:
            self._acknowledged.add(mid, digest)
        # paho's own ack() sends one at a time, a system call each: 12 µs a message against 0.5.
        frames = b"".join([b"\x40\x02" + mid.to_bytes(2, "big") for mid, _ in messages])
        self._paho._packet_queue(_PUBACK, frames, 0, 1)

    def has_acknowledged(self, mid: int, digest: int) -> bool:
        """Whether a message that came again is one whose acknowledgement it crossed on its way."""
        return self._acknowledged.has(mid, digest)

    async def subscribe(self, topic: str) -> None:
        """Raises ConnectionLostError when the broker is gone or refuses."""
        try:
            granted = await self._client.subscribe(topic, qos=1)
        except aiomqtt.MqttError as error:
            raise ConnectionLostError(f"could not subscribe: {error}") from error
        if any(getattr(code, "value", code) >= REFUSED for code in granted):
            raise ConnectionLostError("the broker refused the subscription")

    async def unsubscribe(self, topic: str) -> None:
        """Whether or not it was subscribed to. Raises ConnectionLostError when the broker is gone."""
        try:
            await self._client.unsubscribe(topic)
        except aiomqtt.MqttError as error:
            raise ConnectionLostError(f"could not unsubscribe: {error}") from error

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, timeout: float = 2.0) -> None:
        """Returns when the broker has confirmed it (PUBACK). Else raises NotPublishedError; a message that had not
        left this process never does."""
        if self._lost.done():
            raise NotPublishedError("not connected to the MQTT broker")
        try:
            info = self._paho.publish(topic, payload, qos=1, retain=retain)
        except ValueError as error:
            raise NotPublishedError(f"no valid message: {error}") from error
        confirmed = self._published[info.mid] = self._loop.create_future()
        try:
            if info.rc != paho.MQTT_ERR_SUCCESS:
                raise NotPublishedError(paho.error_string(info.rc))
            if not info.is_published():
                # Not wait_for, which in Python 3.11 forgets a cancellation that comes together with the confirmation.
                async with asyncio.timeout(timeout):
                    await confirmed
        except TimeoutError:
            raise NotPublishedError("the MQTT broker did not confirm in time") from None
        finally:
            del self._published[info.mid]
            if not info.is_published():
                self._withdraw(info.mid)

    def pause(self) -> None:
        """Reads no further, so that the broker keeps the rest."""
        if not self._paused and self._socket is not None and self.is_open:
            self._paused = True
            self._loop.remove_reader(self._socket.fileno())

    def resume(self) -> None:
        if self._paused and self._socket is not None and self.is_open:
            self._paused = False
            self._acknowledged.reading_again()
            self._loop.add_reader(self._socket.fileno(), self._read)
            self._loop.call_soon(self._read)

    def _take_over(self) -> None:
        """Puts our callbacks before aiomqtt's own, which go on doing their part."""
        self._paho.manual_ack_set(True)
        self._paho.disable_logger()  # it formats a line for every packet, whatever the level
        self._paho.connect_timeout = CONNECT_TIMEOUT
        # Its own looks for callbacks by topic first, of which there are none: a twentieth of the time
        # that a message takes.
        self._paho._handle_on_message = self._on_message
        self._paho.on_publish = self._on_publish
        create_socket = self._paho._create_socket
        then_connect, then_disconnect = self._paho.on_connect, self._paho.on_disconnect

        def buffered() -> BufferedSocket:
            raw = create_socket()
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = BufferedSocket(raw)
            return self._socket

        def on_connect(client: Any, userdata: Any, flags: Any, *rest: Any) -> None:
            self.resumed = bool(flags.session_present)
            then_connect(client, userdata, flags, *rest)

        def on_disconnect(*arguments: Any) -> None:
            then_disconnect(*arguments)
            if self._client._disconnected.done():
                self._client._disconnected.exception()  # looked at, or asyncio complains in the log that nobody did
            self.close()

        self._paho._create_socket = buffered
        self._paho.on_connect = on_connect
        self._paho.on_disconnect = on_disconnect

    def read_here(self) -> None:
        """Takes reading over from aiomqtt, whose reader cannot be paused."""
        if self._socket is not None and self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket.fileno(), self._read)
            self._loop.call_soon(self._read)

    def _read(self) -> None:
        """Handles what has come, for a moment; then the loop gets its turn. A full read-ahead almost never ends where a
        message ends, so without that bound a quick broker would keep everybody else waiting."""
        ahead = self._socket
        until = self._loop.time() + READ_SECONDS
        try:
            while ahead is not None and not self._paused and self.is_open:
                self._paho.loop_read()
                if ahead.pending() == 0:
                    return
                if self._loop.time() >= until:
                    self._read_on_soon()
                    return
        except Exception:  # noqa: BLE001  # whatever paho meets in the stream, the connection is of no use any more
            self.close()

    def _read_on_soon(self) -> None:
        if not self._reading_on:
            self._reading_on = True
            self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        self._reading_on = False
        self._read()

    def close(self) -> None:
        """Marks the connection as gone. Idempotent."""
        if not self._lost.done():
            self._lost.set_result(None)
            for waiting in self._published.values():
                if not waiting.done():
                    waiting.set_exception(NotPublishedError("the connection to the MQTT broker was lost"))

    def abandon(self) -> None:
        """Closes the socket of an attempt that came to nothing, which aiomqtt leaves open."""
        self.close()
        self._paho._sock_close()

    def _on_message(self, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\ufffd"
        self._deliver(
            Arrived(
                self, topic, bytes(message.payload), message.mid, message.qos, bool(message.dup), bool(message.retain)
            )
        )

    def _on_publish(self, client: Any, userdata: Any, mid: int, *_: Any) -> None:
        waiting = self._published.get(mid)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _withdraw(self, mid: int) -> None:
        """Takes a message back from paho, which otherwise sends it whenever it can, long after its caller gave up."""
        outgoing = self._paho._out_packet
        for packet in [packet for packet in outgoing if packet["mid"] == mid and packet["command"] & 0xF0 == 0x30]:
            if packet["pos"] == 0:
                outgoing.remove(packet)
        if self._paho._out_messages.pop(mid, None) is not None:
            self._paho._inflight_messages -= 1


@asynccontextmanager
async def connected(
    broker: Broker, client_id: str, will: Will | None, deliver: Deliver, ack_wait: float = 30.0
) -> AsyncIterator[Session]:
    """A session that the broker keeps while we are away (`client_id` names it). Raises ConnectionLostError.

    `ack_wait`: after so many seconds the broker delivers again what was not acknowledged (NATS: 30 s by default).

    Messages may be delivered before this returns: the broker sends what it kept at once.
    """
    client = aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.username,
        password=broker.password,
        identifier=client_id,
        clean_session=False,
        keepalive=KEEPALIVE,
        timeout=CONNECT_TIMEOUT,
        max_inflight_messages=0,  # paho's own queue would outlive the caller; 0 means no limit
        tls_context=broker.tls_context(),
        will=aiomqtt.Will(will.topic, will.payload, qos=1, retain=True) if will else None,
    )
    session = Session(client, deliver, ack_wait)
    try:
        await client.__aenter__()
    except aiomqtt.MqttError as error:
        raise ConnectionLostError(f"no connection to {broker}: {error}") from error
    finally:
        if not client._client.is_connected():
            session.abandon()
    try:
        session.read_here()
        yield session
    finally:
        session.resume()
        try:
            await client.__aexit__(None, None, None)
        except aiomqtt.MqttError:
            pass  # it is gone, which is what we wanted
        finally:
            session.close()
