"""The MQTT load: a few connections that publish packets made beforehand at QoS 1, in a process of its own.

The packets come from the code below and not from a client library, which would take more of the two cores than what
is measured. Readings carry a time of their own, a microsecond apart, so that none repeats another.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit
from uuid import UUID

import uvloop

CONNECTIONS = 8
WINDOW = 256

_CONNECT, _CONNACK, _PUBLISH_QOS1, _PUBACK = 0x10, 0x20, 0x32, 0x40


async def run(url: str, topics: Sequence[tuple[str, Sequence[UUID]]], messages: int, per_message: int) -> float:
    """Publishes so many messages as fast as they are acknowledged, each with so many readings of one device's
    sensors. Returns when the first was sent, on the monotonic clock that all processes share."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.mqtt_load", stdin=PIPE, stdout=PIPE
    )
    order = {
        "host": urlsplit(url).hostname,
        "port": urlsplit(url).port,
        "topics": [(topic, [str(sensor) for sensor in sensors]) for topic, sensors in topics],
        "messages": messages,
        "per_message": per_message,
    }
    answer, _ = await process.communicate(json.dumps(order).encode())
    if process.returncode:
        raise RuntimeError(f"the MQTT load ended with status {process.returncode}")
    return float(json.loads(answer)["started"])


def connect_packet(client_id: str) -> bytes:
    """CONNECT of MQTT 3.1.1: clean session, no keep-alive."""
    return _packet(_CONNECT, _text("MQTT") + bytes((4, 2, 0, 0)) + _text(client_id))


def publish_packet(topic: str, packet_id: int, payload: bytes) -> bytes:
    """PUBLISH at QoS 1."""
    return _packet(_PUBLISH_QOS1, _text(topic) + packet_id.to_bytes(2, "big") + payload)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def _packet(kind: int, body: bytes) -> bytes:
    length, left = bytearray(), len(body)
    while True:
        left, low = divmod(left, 128)
        length.append(low | (0x80 if left else 0))
        if not left:
            return bytes((kind, *length)) + body


class MqttConnection(asyncio.Protocol):
    """Publishes what it is given, `window` at a time; `done` is set when everything was acknowledged."""

    def __init__(self, client_id: str, packets: Iterator[bytes], window: int = WINDOW) -> None:
        self._client_id = client_id
        self._packets = packets
        self._window = window
        self._pending = b""
        self._waiting = 0
        self._transport: asyncio.Transport
        self.connected = asyncio.Event()
        self.done = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by name
        self._transport.write(connect_packet(self._client_id))

    def data_received(self, data: bytes) -> None:
        data = self._pending + data
        if not self.connected.is_set():
            if len(data) < 4 or data[0] != _CONNACK or data[3] != 0:
                raise RuntimeError(f"the broker refused: {data!r}")
            self.connected.set()
            data = data[4:]
        whole = len(data) // 4 * 4  # every PUBACK has four bytes, and nothing else comes
        self._pending = data[whole:]
        self._waiting -= whole // 4
        if whole:
            self.publish()

    def publish(self) -> None:
        """Sends what the window allows."""
        burst = []
        while self._waiting < self._window:
            packet = next(self._packets, None)
            if packet is None:
                break
            burst.append(packet)
            self._waiting += 1
        if burst:
            self._transport.write(b"".join(burst))
        elif not self._waiting:
            self.done.set()

    def send(self, packet: bytes) -> None:
        """One packet outside the window."""
        self._waiting += 1
        self._transport.write(packet)

    def connection_lost(self, fault: Exception | None) -> None:
        if not self.done.is_set():
            raise RuntimeError(f"the broker closed the connection: {fault}")

    def close(self) -> None:
        self.done.set()
        self._transport.write(bytes((0xE0, 0)))
        self._transport.close()


def reading(sensor: str, value: float, value_at: datetime) -> str:
    return f'{{"sensor_id":"{sensor}","value":{value},"value_at":"{value_at.isoformat()}"}}'


def _messages(order: dict[str, object], share: int) -> list[bytes]:
    """Every message of one connection, each device always through the same connection."""
    topics = order["topics"]
    per_message, messages = order["per_message"], order["messages"]
    assert isinstance(topics, list)
    assert isinstance(per_message, int)
    assert isinstance(messages, int)
    mine = topics[share::CONNECTIONS]
    now = datetime.now(UTC)
    packets = []
    for number in range(len(range(share, messages, CONNECTIONS))):
        topic, sensors = mine[number % len(mine)]
        times = (now + timedelta(microseconds=number * per_message + index) for index in range(per_message))
        readings = [reading(sensors[i % len(sensors)], 20 + i / 8, at) for i, at in enumerate(times)]
        payload = readings[0] if per_message == 1 else f"[{','.join(readings)}]"
        packets.append(publish_packet(topic, number % 65_535 + 1, payload.encode()))
    return packets


async def open_connection(host: str, port: int, client_id: str, packets: Iterator[bytes]) -> MqttConnection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: MqttConnection(client_id, packets), host, port)
    await asyncio.wait_for(connection.connected.wait(), 10)
    return connection


async def _main() -> None:
    order = json.loads(sys.stdin.read())
    packets = [_messages(order, share) for share in range(CONNECTIONS)]
    connections = [
        await open_connection(order["host"], order["port"], f"load-{index}", iter(packets[index]))
        for index in range(CONNECTIONS)
    ]
    started = perf_counter()
    for connection in connections:
        connection.publish()
    await asyncio.wait_for(asyncio.gather(*(connection.done.wait() for connection in connections)), 120)
    for connection in connections:
        connection.close()
    sys.stdout.write(json.dumps({"started": started}))


if __name__ == "__main__":
    uvloop.run(_main())
