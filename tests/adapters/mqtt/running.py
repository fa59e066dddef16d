"""A gateway on a real broker and a real log, and a fleet of one test's own."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import aiomqtt

from adapters.eventstore.log import PostgresEventLog
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from adapters.eventstore.tenure import Tenure
from adapters.mqtt.broker import Broker
from adapters.mqtt.gateway import GatewaySettings, MqttGateway
from adapters.mqtt.silence import SilenceWatch
from application.devices import HANDLERS
from application.executor import CommandExecutor
from application.metrics import reports
from domain.catalogue import CATALOGUE
from domain.devices.device import DEVICE
from domain.devices.readings import ReadingsRecorded
from domain.event import Event


def now() -> datetime:
    return datetime.now(UTC)


async def until(condition: Callable[[], bool], seconds: float = 45.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


class Counts:
    """Fills GatewayObserver."""

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.recorded = 0
        self.left_out = 0
        self.connections = 0

    def message_received(self, kind: str, size: int) -> None:
        self.received[kind] += 1

    def readings_recorded(self, count: int) -> None:
        self.recorded += count

    def readings_rejected(self, count: int) -> None:
        self.left_out += count

    def message_rejected(self, reason: str) -> None:
        self.rejected[reason] += 1

    def unacknowledged(self, count: int) -> None: ...

    def connection_changed(self, connected: bool) -> None:
        self.connections += connected


class Running:
    """The parts of one running gateway, and a look at its log."""

    def __init__(
        self, gateway: MqttGateway, executor: CommandExecutor, counts: Counts, database_url: str, topic: str
    ) -> None:
        self.gateway = gateway
        self.executor = executor
        self.counts = counts
        self.topic = topic
        self._database_url = database_url

    async def connected(self) -> None:
        await until(lambda: self.gateway.connected)

    async def events(self) -> list[Event]:
        return await events_of(self._database_url)

    async def values(self) -> list[float]:
        return await values_of(self._database_url)

    async def idle(self, messages: int) -> None:
        """Until so many messages of devices came in and all of them are settled. The gateway hears its own birth
        message too, before or after them, and ignores it."""
        received = self.counts.received
        await until(lambda: received.total() - received["ignored"] >= messages and not self.gateway.unacknowledged)


async def events_of(database_url: str) -> list[Event]:
    reader = PostgresLogReader(database_url, Mapper(CATALOGUE))
    try:
        return [recorded.event for recorded in await reader.read(0, 100_000)]
    finally:
        await reader.close()


async def values_of(database_url: str) -> list[float]:
    events = await events_of(database_url)
    return [reading.value for event in events if isinstance(event, ReadingsRecorded) for reading in event.readings]


@asynccontextmanager
async def running(
    mqtt_url: str,
    database_url: str,
    topic: str,
    *,
    client_id: str | None = None,
    silence: SilenceWatch | None = None,
    tenure: Tenure | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    counts = Counts()
    chosen = GatewaySettings(
        broker=Broker.of_url(mqtt_url), topic=topic, client_id=client_id or f"gateway-{topic}", **settings
    )
    async with PostgresEventLog(database_url, Mapper(CATALOGUE)) as log:
        executor = CommandExecutor(log, {**HANDLERS, **reports.handlers(DEVICE)}, now)
        async with executor.running():
            gateway = MqttGateway(chosen, executor, log, now, counts, silence, tenure)
            async with gateway.running():
                yield Running(gateway, executor, counts, database_url, topic)


@asynccontextmanager
async def client(mqtt_url: str, **options: Any) -> AsyncIterator[aiomqtt.Client]:
    broker = Broker.of_url(mqtt_url)
    async with aiomqtt.Client(broker.host, broker.port, identifier=f"test-{uuid4().hex}", **options) as connection:
        yield connection


class TestDevice:
    """What a device publishes."""

    __test__ = False

    def __init__(self, topic: str, sensors: int = 2) -> None:
        self.id = uuid4()
        self.sensors = [uuid4() for _ in range(sensors)]
        self.discovery_topic = f"{topic}/discovery"
        self.readings_topic = f"{topic}/{self.id}/readings"
        self.metrics_topic = f"{topic}/{self.id}/metrics"
        self.status_topic = f"{topic}/{self.id}/status"
        self.response_topic = f"{topic}/{self.id}/response"
        self.commands_topic = f"{topic}/{self.id}/commands"
        self.responses_topic = f"{topic}/{self.id}/responses"

    def discovery(self, **changes: Any) -> bytes:
        parts = [
            {"id": str(id), "name": f"s{number}", "type": "temperature", "data_type_id": 1}
            for number, id in enumerate(self.sensors)
        ]
        device = {"id": str(self.id), "name": "probe", "description": "", "location": "hall", "status_id": 3}
        return json.dumps({"device": device, "sensors": parts, "actors": [], **changes}).encode()

    def reading(self, value: float, sensor: UUID | None = None, at: datetime | None = None) -> dict[str, object]:
        told: dict[str, object] = {"sensor_id": str(sensor or self.sensors[0]), "value": value}
        if at is not None:
            told["value_at"] = at.isoformat()
        return told

    def payload(self, value: float, at: datetime | None = None) -> bytes:
        return json.dumps(self.reading(value, at=at)).encode()
