"""From a process that serves people to the gateway, over a real NATS; and to a real broker that is away."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.nats.connection import NatsConnection
from adapters.nats.device_rpc import DEADLINE, SUBJECT, DeviceRpc, NatsDevicePublisher
from application.ports import NotPublishedError
from tests.adapters.nats.installation import PATIENCE


class Gateway:
    """Remembers what it was asked to publish, and how long it was given."""

    def __init__(self) -> None:
        self.published: list[bytes] = []
        self.timeouts: list[float] = []
        self.refuses: str | None = None
        self.hangs = False

    async def publish(self, payload: bytes, timeout: float) -> None:
        if self.refuses:
            raise NotPublishedError(self.refuses)
        if self.hangs:
            await asyncio.sleep(timeout)
            raise NotPublishedError("the MQTT broker did not confirm in time")
        self.published.append(payload)
        self.timeouts.append(timeout)


@asynccontextmanager
async def serving(url: str, gateway: Gateway) -> AsyncIterator[DeviceRpc]:
    async with NatsConnection(url, "test gateway") as connection:
        rpc = DeviceRpc(connection, gateway.publish)
        running = asyncio.create_task(rpc.run())
        try:
            await until_served(rpc)
            yield rpc
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def until_served(rpc: DeviceRpc) -> None:
    async with asyncio.timeout(PATIENCE):
        while not rpc.serving:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def publishing(url: str) -> AsyncIterator[NatsDevicePublisher]:
    async with NatsConnection(url, "test api") as connection:
        async with asyncio.timeout(PATIENCE):
            await connection.client()
        yield NatsDevicePublisher(connection)


async def test_what_one_process_asks_the_gateway_publishes(nats_server: EmbeddedNats) -> None:
    gateway = Gateway()
    async with serving(nats_server.url, gateway), publishing(nats_server.url) as publisher:
        await publisher.publish(b'{"type":"ping"}')
    assert gateway.published == [b'{"type":"ping"}']
    assert 0 < gateway.timeouts[0] <= 2


async def test_what_the_gateway_could_not_publish_the_caller_is_told(nats_server: EmbeddedNats) -> None:
    gateway = Gateway()
    gateway.refuses = "not connected to the MQTT broker"
    async with serving(nats_server.url, gateway), publishing(nats_server.url) as publisher:
        with pytest.raises(NotPublishedError, match="not connected to the MQTT broker"):
            await publisher.publish(b"x")


async def test_without_a_gateway_the_caller_is_told_at_once(nats_server: EmbeddedNats) -> None:
    async with publishing(nats_server.url) as publisher:
        started = time.monotonic()
        with pytest.raises(NotPublishedError, match="no gateway"):
            await publisher.publish(b"x")
        assert time.monotonic() - started < 2


async def test_a_broker_that_does_not_confirm_is_waited_for_in_bounds(nats_server: EmbeddedNats) -> None:
    gateway = Gateway()
    gateway.hangs = True
    async with serving(nats_server.url, gateway), publishing(nats_server.url) as publisher:
        with pytest.raises(NotPublishedError, match="in time"):
            await publisher.publish(b"x")


async def test_one_that_waits_for_the_broker_keeps_no_other_waiting(nats_server: EmbeddedNats) -> None:
    gateway = Gateway()
    gateway.hangs = True
    async with serving(nats_server.url, gateway), publishing(nats_server.url) as publisher:
        slow = [asyncio.create_task(publisher.publish(b"slow")) for _ in range(20)]
        await asyncio.sleep(0.1)
        gateway.hangs = False
        await publisher.publish(b"quick")
        assert not any(task.done() for task in slow)
        await asyncio.gather(*slow, return_exceptions=True)
    assert gateway.published == [b"quick"]


@pytest.mark.parametrize("headers", [None, {DEADLINE: "soon"}, {DEADLINE: "1700000000.0"}])
async def test_what_comes_too_late_or_without_a_deadline_is_never_published(
    nats_server: EmbeddedNats, headers: dict[str, str] | None
) -> None:
    gateway = Gateway()
    async with serving(nats_server.url, gateway), NatsConnection(nats_server.url, "test") as connection:
        client = await connection.client()
        reply = await client.request(SUBJECT, b"x", timeout=PATIENCE, headers=headers)
        assert b"error" in reply.data
    assert gateway.published == []


async def test_while_nats_is_away_the_caller_is_told_at_once_and_later_it_works(nats_server: EmbeddedNats) -> None:
    gateway = Gateway()
    async with serving(nats_server.url, gateway) as rpc, publishing(nats_server.url) as publisher:
        await asyncio.to_thread(nats_server.kill)
        with pytest.raises(NotPublishedError):
            await publisher.publish(b"lost")
        await asyncio.to_thread(nats_server.restart)
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await publisher.publish(b"later")
                    break
                except NotPublishedError:
                    await asyncio.sleep(0.05)
        assert rpc.serving
    assert set(gateway.published) == {b"later"}


async def test_a_process_starts_without_nats(nats_server: EmbeddedNats) -> None:
    nats_server.stop()
    async with NatsConnection(nats_server.url, "test api") as connection:
        with pytest.raises(NotPublishedError, match="NATS is away"):
            await NatsDevicePublisher(connection).publish(b"x")


async def test_a_gateway_that_stands_by_leaves_the_requests_to_others_and_answers_what_it_has_taken(
    nats_server: EmbeddedNats,
) -> None:
    standing_by, connected = Gateway(), Gateway()
    standing_by.hangs = True
    async with NatsConnection(nats_server.url, "test standby") as connection, publishing(nats_server.url) as publisher:
        rpc = DeviceRpc(connection, standing_by.publish)
        taking = asyncio.create_task(rpc.take())
        await until_served(rpc)
        slow = asyncio.create_task(publisher.publish(b"slow"))
        while not rpc._answering:
            await asyncio.sleep(0.01)
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        assert not rpc.serving
        async with serving(nats_server.url, connected):
            for _ in range(20):
                await publisher.publish(b"quick")
        with pytest.raises(NotPublishedError, match="the MQTT broker did not confirm in time"):
            await slow
        await rpc.close()
    assert connected.published == [b"quick"] * 20
