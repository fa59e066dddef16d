"""How long after a device published a reading over MQTT it is in the answer of `GET /sensor-readings`.

Five hundred messages a second, evenly, at QoS 1, from two hundred devices; one client asks for the newest hundred
readings over a kept connection, again two milliseconds after each answer. Each message counts from the moment it was
written to the broker's socket to the moment the first answer that holds it was read. `tidemark up` as it is.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import perf_counter
from urllib.parse import urlsplit

import msgspec

from benchmarks.deployment import Deployment, log_in, up
from benchmarks.fleet import BenchDevice, announce, fleet
from benchmarks.http_load import content_length
from benchmarks.measure import Bench, Figure, Spread, percentile, require_equal
from benchmarks.mqtt_commit import TOPIC
from benchmarks.mqtt_load import MqttConnection, open_connection, publish_packet, reading

RATE = 500
SECONDS = 4
PAUSE_SECONDS = 0.002
PATIENCE_SECONDS = 10.0


class _Seen(msgspec.Struct):
    value: float


async def measure(bench: Bench) -> list[Figure]:
    members = fleet(200)
    async with up() as deployment:
        await announce(deployment.database, members)
        await deployment.settle()
        watch = _Watch(deployment, members, await log_in(deployment.api))
        await watch.turn(1)
        turns = [await watch.turn(SECONDS) for _ in bench.rounds()]
    what = f"MQTT publish → visible in GET /sensor-readings at {RATE} messages/s"
    middle, slow = ([percentile(turn, share) * 1e3 for turn in turns] for share in (0.5, 0.99))
    return [
        Figure(f"{what}: p50", Spread.of(middle), " ms", at_most=20),
        Figure(f"{what}: p99", Spread.of(slow), " ms", at_most=100),
    ]


class _Watch:
    def __init__(self, deployment: Deployment, members: Sequence[BenchDevice], token: str) -> None:
        self._urls = deployment.urls
        self._members = members
        self._token = token
        self._sent: dict[float, float] = {}
        self._number = 0

    async def turn(self, seconds: float) -> list[float]:
        """The latencies of all messages of a turn, in seconds."""
        broker = urlsplit(self._urls["mqtt"])
        assert broker.hostname is not None
        assert broker.port is not None
        connection = await open_connection(broker.hostname, broker.port, "watch", iter(()))
        messages = int(RATE * seconds)
        watching = asyncio.create_task(self._watch(messages))
        await self._publish(connection, messages)
        latencies = await watching
        connection.close()
        require_equal(messages, len(latencies), "messages published (and seen)")
        return latencies

    async def _publish(self, connection: MqttConnection, messages: int) -> None:
        started = perf_counter()
        for index in range(messages):
            if (early := started + index / RATE - perf_counter()) > 0:
                await asyncio.sleep(early)
            self._number += 1
            device = self._members[self._number % len(self._members)]
            value = float(self._number)
            payload = reading(str(device.sensors[self._number % 5]), value, datetime.now(UTC)).encode()
            packet = publish_packet(f"{TOPIC}/{device.id}/readings", self._number % 65_535 + 1, payload)
            self._sent[value] = perf_counter()
            connection.send(packet)

    async def _watch(self, messages: int) -> list[float]:
        latencies: list[float] = []
        decode = msgspec.json.Decoder(list[_Seen]).decode
        last = perf_counter()
        async with _Client.of(self._urls["api"], self._token) as client:
            while len(latencies) < messages and perf_counter() - last < PATIENCE_SECONDS:
                limit = 100 if len(self._sent) < 50 else 1000  # after a pause there may be more than a hundred new ones
                answer = await client.get(f"/sensor-readings?limit={limit}")
                now = perf_counter()
                for row in decode(answer):
                    if (sent := self._sent.pop(row.value, None)) is not None:
                        latencies.append(now - sent)
                        last = now
                await asyncio.sleep(PAUSE_SECONDS)
        return latencies


class _Client:
    """A kept connection to a server on this machine. A real client would cost the two cores more than the answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str) -> None:
        self._reader = reader
        self._writer = writer
        self._head = f"HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"

    @classmethod
    @asynccontextmanager
    async def of(cls, url: str, token: str) -> AsyncIterator["_Client"]:
        server = urlsplit(url)
        reader, writer = await asyncio.open_connection(server.hostname, server.port, limit=2**20)
        try:
            yield cls(reader, writer, token)
        finally:
            writer.close()

    async def get(self, path: str) -> bytes:
        """The body of a 200. Raises RuntimeError for anything else."""
        self._writer.write(f"GET {path} {self._head}".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        body = await self._reader.readexactly(content_length(head))
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{path}: {head!r}")
        return body
