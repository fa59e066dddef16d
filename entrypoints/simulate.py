"""A fleet of MQTT devices that behaves as contract devices 3.5 asks of a sensible one.

Every device has a connection of its own: will, discovery, `online`, readings at QoS 1 with a time, `offline` at the
end. What it is asked as a connected device it answers with `ok`. Beyond `CONNECTIONS` devices some share one; a
connection has one will, so of those that share only the first is reported `offline` when the simulation is killed.
"""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO
from uuid import UUID, uuid5

import aiomqtt
import msgspec

from adapters.mqtt.broker import Broker
from domain.identifiers import device_id_of_mac

CONNECTIONS = 2_000
_CONNECTING_AT_ONCE = 50
_IN_FLIGHT = 10_000
_CONFIRMED_WITHIN = 30.0
_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_BETWEEN_REDRAWS = 0.2


class FleetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`rate` is in messages a second, of the whole fleet; 0 means as fast as the broker confirms. `duration` is in
    seconds; 0 means until cancelled. The same `seed` is the same devices."""

    url: str = "mqtt://127.0.0.1:1883"
    topic: str = "lambdaiot"
    devices: int = 10
    sensors: int = 4
    rate: float = 10.0
    per_message: int = 1
    duration: float = 0.0
    seed: int = 1


@dataclass
class Progress:
    """What was published so far, counted in messages of readings."""

    began: float = field(default_factory=time.monotonic)
    connected: int = 0
    published: int = 0
    acknowledged: int = 0
    failed: int = 0
    readings: int = 0

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def line(self) -> str:
        elapsed = self.elapsed
        return (
            f"{self.connected:,} devices · published {self.published:,} · acknowledged {self.acknowledged:,}"
            f" · failed {self.failed:,} · {self.acknowledged / max(elapsed, 0.001):,.0f} messages/s"
            f" · {self.readings / max(elapsed, 0.001):,.0f} readings/s · {elapsed:.0f} s"
        )


class _Device:
    """One device: what it is, and how its measurements wander."""

    def __init__(self, options: FleetOptions, number: int) -> None:
        self._chance = random.Random(f"{options.seed}/{number}")
        self.mac = ":".join(f"{self._chance.randrange(256):02x}" for _ in range(6))
        self.id: UUID = device_id_of_mac(self.mac)
        self.name = f"simulated {number}"
        self._topic = options.topic
        self._sensors = [str(uuid5(self.id, f"sensor-{index}")) for index in range(options.sensors)]
        self._values = [self._chance.uniform(15, 25) for _ in self._sensors]
        self._turn = 0
        self.status_topic = f"{options.topic}/{self.id}/status"
        self.readings_topic = f"{options.topic}/{self.id}/readings"
        self.discovery_topic = f"{options.topic}/discovery"
        self.commands_topic = f"{options.topic}/{self.id}/commands"

    def discovery(self) -> bytes:
        sensors = [
            {"id": id, "name": f"sensor {index}", "type": "temperature", "data_type_id": 1}
            for index, id in enumerate(self._sensors)
        ]
        device = {"id": str(self.id), "name": self.name, "description": "simulated", "location": "nowhere"}
        return msgspec.json.encode({"mac_address": self.mac, "device": device, "sensors": sensors, "actors": []})

    def message(self, count: int) -> bytes:
        """The next values of its sensors in turn. No two of one sensor have the same time."""
        now = time.time_ns() // 1_000
        told = [self._reading(now + index) for index in range(count)]
        return msgspec.json.encode(told[0] if count == 1 else told)

    def _reading(self, microseconds: int) -> dict[str, object]:
        index = self._turn = (self._turn + 1) % len(self._sensors)
        self._values[index] += self._chance.gauss(0, 0.1)
        at = datetime.fromtimestamp(microseconds / 1_000_000, UTC)
        return {"sensor_id": self._sensors[index], "value": round(self._values[index], 3), "value_at": at}


class _Connection:
    """One or more devices behind one connection, which comes back when it was lost."""

    def __init__(self, broker: Broker, devices: Sequence[_Device], progress: Progress) -> None:
        self.devices = devices
        self._broker = broker
        self._progress = progress
        self._client: aiomqtt.Client | None = None

    async def stay_connected(self, gate: asyncio.Semaphore) -> None:
        while True:
            try:
                async with AsyncExitStack() as stack:
                    async with gate:
                        client = await stack.enter_async_context(self._new_client())
                        await self._appear(client)
                    self._client = client
                    self._progress.connected += len(self.devices)
                    try:
                        async for asked in client.messages:
                            await _answer(client, asked)
                    finally:
                        self._client = None
                        self._progress.connected -= len(self.devices)
                        await self._leave(client)
            except aiomqtt.MqttError:
                await asyncio.sleep(random.uniform(0.5, 2.0))

    async def send(self, device: _Device, count: int) -> None:
        if self._client is None:
            self._progress.failed += 1
            return
        self._progress.published += 1
        try:
            await self._client.publish(device.readings_topic, device.message(count), qos=1, timeout=_CONFIRMED_WITHIN)
        except aiomqtt.MqttError:
            self._progress.failed += 1
        else:
            self._progress.acknowledged += 1
            self._progress.readings += count

    def _new_client(self) -> aiomqtt.Client:
        client = aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            username=self._broker.username,
            password=self._broker.password,
            identifier=f"simulated-{self.devices[0].id}",
            tls_context=self._broker.tls_context(),
            will=aiomqtt.Will(self.devices[0].status_topic, b"offline", qos=1, retain=True),
            max_inflight_messages=0,
        )
        client.pending_calls_threshold = _IN_FLIGHT
        return client

    async def _appear(self, client: aiomqtt.Client) -> None:
        for device in self.devices:
            await client.subscribe(device.commands_topic, qos=1)
            await client.publish(device.discovery_topic, device.discovery(), qos=1)
            await client.publish(device.status_topic, b"online", qos=1, retain=True)

    async def _leave(self, client: aiomqtt.Client) -> None:
        with suppress(aiomqtt.MqttError):
            for device in self.devices:
                await client.publish(device.status_topic, b"offline", qos=1, retain=True, timeout=2)


class _Asked(msgspec.Struct):
    id: str


async def _answer(client: aiomqtt.Client, asked: aiomqtt.Message) -> None:
    try:
        id = msgspec.json.decode(bytes(asked.payload), type=_Asked).id
    except (msgspec.DecodeError, TypeError):
        return
    topic = asked.topic.value.removesuffix("commands") + "responses"
    # At QoS 0, since waiting for the broker's confirmation, in Python 3.11, may swallow that we are to end.
    await client.publish(topic, msgspec.json.encode({"id": id, "payload": "ok"}), qos=0)


async def simulate(options: FleetOptions, output: TextIO = sys.stderr) -> Progress:
    """Runs the fleet and returns what it did. Cancelling it is a clean end: every device says `offline`.

    Raises InvalidBrokerUrlError. A broker that is away is waited for.
    """
    broker = Broker.of_url(options.url)
    devices = [_Device(options, number) for number in range(options.devices)]
    share = min(len(devices), CONNECTIONS)
    progress = Progress()
    connections = [_Connection(broker, devices[first::share], progress) for first in range(share)]
    async with _all_connected(connections, progress, len(devices), output):
        progress.began = time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(options.duration or None), _shown(progress, output):
                await _publish(options, connections, progress)
        done = progress.line()
    print("Done:", done, file=output, flush=True)
    return progress


@asynccontextmanager
async def _all_connected(
    connections: Sequence[_Connection], progress: Progress, devices: int, output: TextIO
) -> AsyncIterator[None]:
    gate = asyncio.Semaphore(_CONNECTING_AT_ONCE)
    tasks = [asyncio.create_task(connection.stay_connected(gate)) for connection in connections]
    try:
        async with _shown(progress, output):
            while progress.connected < devices:
                await asyncio.sleep(0.01)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _publish(options: FleetOptions, connections: Sequence[_Connection], progress: Progress) -> None:
    """At the rate asked for, device by device; waits for those under way at the end."""
    turns = [(connection, device) for connection in connections for device in connection.devices]
    under_way: set[asyncio.Task[None]] = set()
    began, sent = time.monotonic(), 0
    try:
        while True:
            due = int((time.monotonic() - began) * options.rate) if options.rate else sent + _IN_FLIGHT
            for _ in range(min(due - sent, _IN_FLIGHT - len(under_way))):
                connection, device = turns[sent % len(turns)]
                task = asyncio.create_task(connection.send(device, options.per_message))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                sent += 1
            await asyncio.sleep(0.005)
    finally:
        if under_way:
            await asyncio.wait(under_way, timeout=_CONFIRMED_WITHIN)


@asynccontextmanager
async def _shown(progress: Progress, output: TextIO) -> AsyncIterator[None]:
    """A line that is drawn again on a terminal, a line every few seconds elsewhere."""
    show: Callable[[], None]
    if output.isatty():
        every = _SECONDS_BETWEEN_REDRAWS

        def show() -> None:
            print("\r\x1b[K" + progress.line(), end="", file=output, flush=True)
    else:
        every = _SECONDS_BETWEEN_LINES

        def show() -> None:
            print(progress.line(), file=output, flush=True)

    async def draw() -> None:
        while True:
            await asyncio.sleep(every)
            show()

    drawing = asyncio.create_task(draw())
    try:
        yield
    finally:
        drawing.cancel()
        if output.isatty():
            print(file=output)
