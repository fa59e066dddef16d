"""Of several gateways with one client id one is connected; another takes over when it dies, and nothing is lost."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.eventstore.tenure import Tenure
from tests.adapters.eventstore.thief import robbed
from tests.adapters.mqtt.running import TestDevice, client, running, until, values_of
from tests.adapters.mqtt.test_gateway_crash import committed, gateway_process, publish_all


@pytest.fixture
def topic() -> str:
    return f"t{uuid4().hex}"


def tenure(database_url: str, topic: str) -> Tenure:
    return Tenure(database_url, f"gateway {topic}")


@pytest.mark.parametrize("flags", [("tenure",), ("tenure", "mute")], ids=["acknowledging", "mute"])
async def test_a_standby_takes_over_from_a_killed_gateway_and_nothing_is_lost_or_recorded_twice(
    nats_server: EmbeddedNats, database_url: str, topic: str, flags: tuple[str, ...]
) -> None:
    device, standby = TestDevice(topic), tenure(database_url, topic)
    async with client(nats_server.mqtt_url) as publisher, AsyncExitStack() as first:
        await first.enter_async_context(gateway_process(nats_server, database_url, topic, *flags))
        async with running(nats_server.mqtt_url, database_url, topic, tenure=standby) as second:
            await asyncio.wait_for(standby.until_taken(), 45)
            await publisher.publish(device.discovery_topic, device.discovery(), qos=1)
            await publish_all(publisher, device.readings_topic, [device.payload(value) for value in range(100)])
            await committed(database_url, 100)
            assert second.counts.connections == 0
            await publish_all(publisher, device.readings_topic, [device.payload(v) for v in range(100, 150)])
            await first.aclose()  # killed, with whatever it has taken and not committed
            await second.connected()
            await publisher.publish(device.readings_topic, device.payload(150), qos=1)
            await committed(database_url, 151)
            await until(lambda: not second.gateway.unacknowledged)
            assert second.counts.connections == 1
    assert sorted(await values_of(database_url)) == list(range(151))


async def test_a_database_that_is_away_neither_disconnects_the_gateway_nor_lets_its_will_be_sent(
    nats_server: EmbeddedNats, own_postgres: EmbeddedPostgres, topic: str
) -> None:
    device, ours = TestDevice(topic), tenure(own_postgres.url, topic)
    async with (
        running(nats_server.mqtt_url, own_postgres.url, topic, tenure=ours) as cloud,
        client(nats_server.mqtt_url) as publisher,
    ):
        await cloud.connected()
        await publisher.subscribe(f"{topic}/server/status")
        await publisher.publish(device.discovery_topic, device.discovery(), qos=1)
        await cloud.idle(1)
        await asyncio.to_thread(own_postgres.kill)
        await until(lambda: not ours.held)
        await publish_all(publisher, device.readings_topic, [device.payload(value) for value in range(100)])
        await until(lambda: cloud.gateway.unacknowledged == 100)
        assert cloud.gateway.connected
        await asyncio.to_thread(own_postgres.restart)
        await until(lambda: ours.held and not cloud.gateway.unacknowledged)
        assert cloud.counts.connections == 1
        assert sorted(await cloud.values()) == list(range(100))
        await publisher.publish(f"{topic}/server/status", b"last", qos=1)
        said = [bytes((await asyncio.wait_for(anext(aiter(publisher.messages)), 45)).payload) for _ in range(2)]
        assert said == [b"online", b"last"]


async def test_a_gateway_goes_when_another_process_has_the_lease_and_comes_back_afterwards(
    nats_server: EmbeddedNats, database_url: str, topic: str
) -> None:
    device = TestDevice(topic)
    async with (
        running(nats_server.mqtt_url, database_url, topic, tenure=tenure(database_url, topic)) as cloud,
        client(nats_server.mqtt_url) as publisher,
    ):
        await cloud.connected()
        await publisher.publish(device.discovery_topic, device.discovery(), qos=1)
        await cloud.idle(1)
        async with robbed(database_url, f"gateway {topic}"):
            await until(lambda: not cloud.gateway.connected)
            await publish_all(publisher, device.readings_topic, [device.payload(value) for value in range(10)])
            assert await cloud.values() == []
        await cloud.connected()
        await committed(database_url, 10)
    assert sorted(await values_of(database_url)) == list(range(10))


async def test_a_gateway_that_starts_without_a_database_waits_and_the_broker_keeps_the_messages(
    nats_server: EmbeddedNats, own_postgres: EmbeddedPostgres, topic: str
) -> None:
    device = TestDevice(topic)

    async def serving() -> None:
        async with running(
            nats_server.mqtt_url, own_postgres.url, topic, tenure=tenure(own_postgres.url, topic)
        ) as cloud:
            await cloud.connected()

    async with client(nats_server.mqtt_url) as publisher:
        await serving()
        await asyncio.to_thread(own_postgres.stop)
        starting = asyncio.create_task(serving())
        await publisher.publish(device.discovery_topic, device.discovery(), qos=1)
        await publish_all(publisher, device.readings_topic, [device.payload(value) for value in range(10)])
        assert not starting.done()
        await asyncio.to_thread(own_postgres.start)
        await asyncio.wait_for(starting, 45)
        async with running(nats_server.mqtt_url, own_postgres.url, topic, tenure=tenure(own_postgres.url, topic)):
            await committed(own_postgres.url, 10)
    assert sorted(await values_of(own_postgres.url)) == list(range(10))
