"""What the broker confirmed to a device is in the log, whoever dies or goes away in between."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import aiomqtt
import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres
from domain.devices.state_message import StateMessageReceived
from tests.adapters.mqtt.running import TestDevice, client, events_of, running, until, values_of
from tests.servers import start_nats

AT = datetime(2026, 1, 14, 10, tzinfo=UTC)


@pytest.fixture
def topic() -> str:
    return f"t{uuid4().hex}"


@asynccontextmanager
async def gateway_process(nats: EmbeddedNats, database_url: str, topic: str, *flags: str) -> AsyncIterator[None]:
    """Killed at the end, as in a crash."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.adapters.mqtt.run_gateway", nats.mqtt_url, database_url, topic, *flags),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        while await process.stdout.readline() != b"connected\n":
            pass
        yield
    finally:
        process.kill()
        await process.communicate()


async def committed(database_url: str, count: int) -> None:
    async with asyncio.timeout(45):
        while len(await values_of(database_url)) < count:
            await asyncio.sleep(0.02)


async def publish_all(publisher: aiomqtt.Client, topic: str, payloads: list[bytes]) -> None:
    await asyncio.gather(*(publisher.publish(topic, payload, qos=1) for payload in payloads))


@pytest.mark.parametrize("timed", [True, False])
async def test_a_gateway_killed_between_commit_and_acknowledgement_loses_and_doubles_nothing(
    nats_server: EmbeddedNats, database_url: str, topic: str, timed: bool
) -> None:
    device = TestDevice(topic)
    at = AT if timed else None
    async with client(nats_server.mqtt_url) as publisher:
        async with gateway_process(nats_server, database_url, topic, "mute"):
            await publisher.publish(device.discovery_topic, device.discovery(), qos=1)
            await publish_all(publisher, device.readings_topic, [device.payload(value, at) for value in range(100)])
            await committed(database_url, 100)
        await publish_all(publisher, device.readings_topic, [device.payload(value, at) for value in range(100, 150)])
        async with running(nats_server.mqtt_url, database_url, topic) as again:
            await until(lambda: again.counts.received["readings"] == 150 and not again.gateway.unacknowledged)
            assert again.counts.rejected["duplicate"] == 100
        assert sorted(await values_of(database_url)) == list(range(150))


async def test_state_messages_too_are_recorded_once_by_a_gateway_killed_before_it_acknowledged(
    nats_server: EmbeddedNats, database_url: str, topic: str
) -> None:
    async def stored() -> list[str]:
        events = await events_of(database_url)
        return [event.payload for event in events if isinstance(event, StateMessageReceived)]

    words = ["on", "off"] * 10
    async with client(nats_server.mqtt_url) as publisher:
        async with gateway_process(nats_server, database_url, topic, "mute"):
            for word in words:
                await publisher.publish(f"state:{topic}", word.encode(), qos=1)
            async with asyncio.timeout(45):
                while len(await stored()) < len(words):
                    await asyncio.sleep(0.02)
        await publisher.publish(f"state:{topic}", b"on", qos=1)
        async with running(nats_server.mqtt_url, database_url, topic) as again:
            await until(lambda: again.counts.received["state"] == len(words) + 1 and not again.gateway.unacknowledged)
            assert again.counts.rejected["duplicate"] == len(words)
    assert await stored() == [*words, "on"]


async def test_equal_readings_without_a_time_are_all_kept(
    nats_server: EmbeddedNats, database_url: str, topic: str
) -> None:
    device = TestDevice(topic)
    async with client(nats_server.mqtt_url) as publisher:
        async with gateway_process(nats_server, database_url, topic):
            await publisher.publish(device.discovery_topic, device.discovery(), qos=1)
            for _ in range(3):
                await publisher.publish(device.readings_topic, device.payload(21.5), qos=1)
            await committed(database_url, 3)
            # Acknowledged by now, or else it would be delivered again below.
            await publisher.publish(device.readings_topic, device.payload(22), qos=1)
            await committed(database_url, 4)
        await publisher.publish(device.readings_topic, device.payload(21.5), qos=1)
        async with running(nats_server.mqtt_url, database_url, topic) as again:
            await until(lambda: again.counts.recorded >= 1 and not again.gateway.unacknowledged)
    assert sorted(await values_of(database_url)) == [21.5, 21.5, 21.5, 21.5, 22]


async def test_while_the_database_is_away_nothing_is_acknowledged_and_then_everything_arrives_in_order(
    nats_server: EmbeddedNats, own_postgres: EmbeddedPostgres, topic: str
) -> None:
    device, late = TestDevice(topic), TestDevice(topic)
    async with (
        running(nats_server.mqtt_url, own_postgres.url, topic) as parts,
        client(nats_server.mqtt_url) as publisher,
    ):
        await parts.connected()
        await publisher.publish(device.discovery_topic, device.discovery(), qos=1)
        await publisher.publish(device.readings_topic, device.payload(0), qos=1)
        await until(lambda: parts.counts.recorded == 1 and not parts.gateway.unacknowledged)
        await asyncio.to_thread(own_postgres.kill)
        await publisher.publish(late.discovery_topic, late.discovery(), qos=1)
        values = [late.payload(value) for value in range(1, 101)]
        for payload in values:
            await publisher.publish(late.readings_topic, payload, qos=1)
        await until(lambda: parts.gateway.unacknowledged == 101)
        await asyncio.to_thread(own_postgres.restart)
        await until(lambda: not parts.gateway.unacknowledged, 60)
        assert await parts.values() == list(range(101))
        assert parts.counts.left_out == 0


async def test_a_broker_and_a_gateway_killed_together_under_load_lose_nothing(
    database_url: str, topic: str, tmp_path: Path
) -> None:
    device = TestDevice(topic, sensors=1)
    confirmed: list[int] = []
    with start_nats(tmp_path) as nats:
        for round in range(3):
            async with gateway_process(nats, database_url, topic):
                with suppress(aiomqtt.MqttError):
                    async with client(nats.mqtt_url) as publisher:
                        await publisher.publish(device.discovery_topic, device.discovery(), qos=1)
                        for value in range(round * 1000, round * 1000 + 200):
                            at = datetime.fromtimestamp(1_700_000_000 + value, UTC)
                            await publisher.publish(device.readings_topic, device.payload(value, at), qos=1)
                            confirmed.append(value)
                        nats.kill()
            await asyncio.to_thread(nats.restart)
        async with running(nats.mqtt_url, database_url, topic):
            async with asyncio.timeout(45):
                while set(confirmed) - set(await values_of(database_url)):
                    await asyncio.sleep(0.1)
    stored = await values_of(database_url)
    print({"acknowledged": len(confirmed), "stored": len(set(stored)), "events twice": len(stored) - len(set(stored))})
