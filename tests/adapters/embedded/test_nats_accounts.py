"""Who may do what on the embedded NATS: our processes, whoever follows the events, and devices."""

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import nats
import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamConfig

from adapters.embedded.nats import EmbeddedNats, nats_binary
from adapters.embedded.ports import free_ports
from tests.servers import start_nats
from tests.waiting import eventually

SUBJECT = "tidemark.events.devices.device.connected.1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNats]:
    with start_nats(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
async def ours(server: EmbeddedNats) -> AsyncIterator[Client]:
    """One of our processes, with a stream of two events."""
    async with connected(server.url) as client:
        stream = client.jetstream()
        await stream.add_stream(StreamConfig(name="EVENTS", subjects=["tidemark.events.>"], allow_direct=True))
        await stream.publish(SUBJECT, b"1")
        await stream.publish(SUBJECT, b"2")
        yield client
        await stream.delete_stream("EVENTS")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    refusals: list[Exception] = []

    async def remember(error: Exception) -> None:
        refusals.append(error)

    client = await nats.connect(url, error_cb=remember)
    client.refusals = refusals  # type: ignore[attr-defined]  # kept beside it for the test
    try:
        yield client
    finally:
        await client.close()


async def last(ours: Client) -> int:
    return (await ours.jetstream().stream_info("EVENTS")).state.last_seq


async def test_a_device_neither_sees_events_nor_can_make_any(server: EmbeddedNats, ours: Client) -> None:
    async with aiomqtt.Client(server.host, server.mqtt_port) as device:
        await device.subscribe("#", qos=1)
        await ours.jetstream().publish(SUBJECT, b"3")
        await device.publish("tidemark/events/devices/device/connected/1", b"forged", qos=1)
        await device.publish("the/end", b"", qos=1)
        heard: list[str] = []
        async with asyncio.timeout(20):
            async for message in device.messages:
                heard.append(str(message.topic))
                if heard[-1] == "the/end":
                    break
    assert heard == ["tidemark/events/devices/device/connected/1", "the/end"]
    assert await last(ours) == 3


async def test_what_devices_say_is_not_on_our_nats(server: EmbeddedNats, ours: Client) -> None:
    heard = await ours.subscribe(">")
    await ours.flush()
    async with aiomqtt.Client(server.host, server.mqtt_port) as device:
        await device.publish("lambdaiot/readings", b"21.5", qos=1)
    await ours.publish("the.end")
    subjects = [(await heard.next_msg(timeout=10)).subject]
    while subjects[-1] != "the.end":
        subjects.append((await heard.next_msg(timeout=10)).subject)
    assert not [subject for subject in subjects if "lambdaiot" in subject]


async def test_without_a_password_one_may_follow_by_every_kind_of_consumer(server: EmbeddedNats, ours: Client) -> None:
    async with connected(server.public_url) as anybody:
        live = await anybody.subscribe("tidemark.events.>")
        await anybody.flush()
        # Without a consumer nothing is told twice: once in thousands of runs a message did not come.
        async with asyncio.timeout(20):
            while live.pending_msgs == 0:
                await ours.jetstream().publish(SUBJECT, b"3")
                await anybody.flush()
        assert (await live.next_msg(timeout=10)).data == b"3"
        stream = anybody.jetstream()
        assert (await stream.stream_info("EVENTS")).state.last_seq >= 3
        assert (await stream.get_msg("EVENTS", 2)).data == b"2"
        ordered = await stream.subscribe("tidemark.events.>", ordered_consumer=True)
        assert (await ordered.next_msg(timeout=10)).data == b"1"
        ephemeral = await stream.pull_subscribe("tidemark.events.>", None, "EVENTS")
        assert [message.data for message in await ephemeral.fetch(3, timeout=10)] == [b"1", b"2", b"3"]
        durable = await stream.pull_subscribe("tidemark.events.>", "billing", "EVENTS")
        (first,) = await durable.fetch(1, timeout=10)
        await first.ack_sync()
        bound = await stream.pull_subscribe_bind("billing", "EVENTS")
        (second,) = await bound.fetch(1, timeout=10)
        assert second.data == b"2"


async def test_without_a_password_one_can_neither_forge_nor_change_nor_delete(
    server: EmbeddedNats, ours: Client
) -> None:
    async with connected(server.public_url) as anybody:
        for subject in (
            SUBJECT,
            "tidemark.rpc.publish",
            "$JS.API.STREAM.DELETE.EVENTS",
            "$JS.API.STREAM.PURGE.EVENTS",
            "$JS.API.STREAM.UPDATE.EVENTS",
            "$JS.API.STREAM.CREATE.OTHER",
            "$JS.API.STREAM.MSG.DELETE.EVENTS",
            "$JS.API.CONSUMER.DELETE.EVENTS.projections",
            "$JS.API.CONSUMER.MSG.NEXT.EVENTS.projections",
        ):
            await anybody.publish(subject, b'{"name":"OTHER","subjects":["other"],"seq":1}')
            await anybody.flush()
        refusals: list[Exception] = anybody.refusals  # type: ignore[attr-defined]  # see connected()
        async with asyncio.timeout(20):
            while len(refusals) < 9:
                await asyncio.sleep(0.01)
        # A consumer may not deliver into the stream, nor to the interface of the server.
        forging = ConsumerConfig(deliver_subject=SUBJECT, deliver_policy=DeliverPolicy.ALL, ack_policy=AckPolicy.NONE)
        with pytest.raises(nats.js.errors.BadRequestError, match="cycle"):
            await anybody.jetstream().add_consumer("EVENTS", forging)
    assert await last(ours) == 2


async def test_the_password_is_kept_private_and_stays_the_same(tmp_path: Path) -> None:
    with start_nats(tmp_path) as first:
        url = first.url
        port = first.port
    kept = tmp_path / "password"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_text().strip() in url
    with EmbeddedNats(tmp_path, port=port) as second:
        assert second.url == url
        assert kept.read_text().strip() not in second.public_url


async def test_a_directory_of_the_time_before_accounts_starts_and_keeps_what_devices_sent(tmp_path: Path) -> None:
    port, mqtt_port = free_ports(2, "127.0.0.1")
    config = tmp_path / "old.conf"
    old = {
        "server_name": "tidemark",
        "host": "127.0.0.1",
        "port": port,
        "mqtt": {"host": "127.0.0.1", "port": mqtt_port},
        "jetstream": {"store_dir": str(tmp_path / "nats" / "jetstream")},
    }
    config.write_text(json.dumps(old))
    server = _start(config)
    try:
        await asyncio.to_thread(eventually, lambda: _listens(mqtt_port), seconds=30)
        async with connected(f"nats://127.0.0.1:{port}") as client:
            await client.jetstream().add_stream(name="EVENTS", subjects=["tidemark.events.>"])
            await client.jetstream().publish(SUBJECT, b"old")
        async with aiomqtt.Client("127.0.0.1", mqtt_port, identifier="gateway", clean_session=False) as gateway:
            await gateway.subscribe("lambdaiot/#", qos=1)
        async with aiomqtt.Client("127.0.0.1", mqtt_port) as device:
            await device.publish("lambdaiot/readings", b"kept", qos=1)
    finally:
        server.terminate()
        server.wait(30)
    with start_nats(tmp_path / "nats") as new:
        async with aiomqtt.Client(new.host, new.mqtt_port, identifier="gateway", clean_session=False) as gateway:
            async with asyncio.timeout(20):
                message = await anext(aiter(gateway.messages))
        assert message.payload == b"kept"
        async with connected(new.url) as ours:
            with pytest.raises(nats.js.errors.NotFoundError):
                await ours.jetstream().stream_info("EVENTS")
            await ours.jetstream().add_stream(name="EVENTS", subjects=["tidemark.events.>"])


def _start(config: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([nats_binary(), "--config", config], stderr=subprocess.DEVNULL)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
