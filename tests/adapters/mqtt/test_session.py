"""What this project needs of paho beyond aiomqtt: acknowledging later, and publishing without leftovers."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.embedded.nats import MQTT_ACK_WAIT, EmbeddedNats
from adapters.mqtt.broker import Broker
from adapters.mqtt.session import Arrived, ConnectionLostError, Session, connected
from application.ports import NotPublishedError
from tests.adapters.mqtt.running import client, until
from tests.servers import start_nats

ACK_WAIT = float(MQTT_ACK_WAIT.removesuffix("s"))


@asynccontextmanager
async def subscriber(url: str, name: str, topic: str) -> AsyncIterator[tuple[Session, list[Arrived]]]:
    arrived: list[Arrived] = []
    async with connected(Broker.of_url(url), name, None, arrived.append) as session:
        if not session.resumed:
            await session.subscribe(topic)
        yield session, arrived


async def test_what_was_not_acknowledged_comes_again_marked_as_dup(nats_server: EmbeddedNats) -> None:
    name = topic = f"s{uuid4().hex}"
    async with subscriber(nats_server.mqtt_url, name, topic) as (session, arrived):
        async with client(nats_server.mqtt_url) as publisher:
            for number in range(3):
                await publisher.publish(topic, f"{number}", qos=1)
        await until(lambda: len(arrived) == 3)
        assert not any(message.dup for message in arrived)
        session.acknowledge([(message.mid, 0) for message in arrived[:2]])
        await session.publish(topic, b"end")  # the acknowledgements went out before it
    async with subscriber(nats_server.mqtt_url, name, topic) as (session, arrived):
        assert session.resumed
        await until(lambda: b"2" in [message.payload for message in arrived])
        assert {message.payload for message in arrived} <= {b"2", b"end"}
        assert all(message.dup for message in arrived if message.payload == b"2")


async def test_a_repetition_that_crossed_its_acknowledgement_is_known_under_its_new_packet_id_too(
    nats_server: EmbeddedNats,
) -> None:
    """Everything is acknowledged in the moment in which the broker delivers it again for the second time."""
    name = topic = f"s{uuid4().hex}"
    loop = asyncio.get_running_loop()
    acknowledged: dict[int, int] = {}
    crossed: list[tuple[int, int, bool]] = []

    def acknowledge(message: Arrived) -> None:
        number = int(message.payload)
        acknowledged[number] = message.mid
        message.session.acknowledge([(message.mid, number)])

    def deliver(message: Arrived) -> None:
        number = int(message.payload)
        if number in acknowledged:
            known = message.session.has_acknowledged(message.mid, number)
            crossed.append((message.mid, acknowledged[number], known))
            acknowledge(message)
        elif not message.dup:
            loop.call_later(2 * ACK_WAIT, acknowledge, message)

    broker = Broker.of_url(nats_server.mqtt_url)
    async with (
        connected(broker, name, None, deliver, ACK_WAIT) as session,
        client(nats_server.mqtt_url) as publisher,
    ):
        await session.subscribe(topic)
        for number in range(1, 2001):
            await publisher.publish(topic, f"{number}", qos=1)
        await until(lambda: len(acknowledged) == 2000 and any(now != then for now, then, _ in crossed), 60)
    assert all(known for *_, known in crossed)


async def test_a_paused_session_reads_no_further_and_misses_nothing(nats_server: EmbeddedNats) -> None:
    name = topic = f"s{uuid4().hex}"
    async with subscriber(nats_server.mqtt_url, name, topic) as (session, arrived):
        session.pause()
        async with client(nats_server.mqtt_url) as publisher:
            await publisher.publish(topic, b"x" * 200_000, qos=1)
        assert arrived == []
        session.resume()
        await until(lambda: len(arrived) == 1)
        assert len(arrived[0].payload) == 200_000


async def test_a_publish_on_a_lost_connection_fails_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    with start_nats(tmp_path) as nats:
        topic = f"s{uuid4().hex}"
        async with subscriber(nats.mqtt_url, topic, topic) as (session, _):
            await asyncio.to_thread(nats.kill)
            await session.lost()
            began = time.monotonic()
            with pytest.raises(NotPublishedError):
                await session.publish(topic, b"late")
            assert time.monotonic() - began < 1
        await asyncio.to_thread(nats.restart)
        async with subscriber(nats.mqtt_url, topic, topic) as (session, arrived):
            await session.publish(topic, b"marker")
            await until(lambda: bool(arrived))
            assert [message.payload for message in arrived] == [b"marker"]


async def test_a_publish_that_is_not_confirmed_in_time_is_withdrawn() -> None:
    async with _silent_broker() as port, connected(Broker("127.0.0.1", port), "x", None, lambda _: None) as session:
        with pytest.raises(NotPublishedError):
            await session.publish("t", b"x", timeout=0.2)
        assert not session._paho._out_messages
        assert not session._paho._out_packet
        assert session._paho._inflight_messages == 0
        session.close()


async def test_many_publishes_wait_for_their_own_confirmations(nats_server: EmbeddedNats) -> None:
    async with subscriber(nats_server.mqtt_url, uuid4().hex, uuid4().hex) as (session, _):
        await asyncio.gather(*(session.publish(f"s{uuid4().hex}", b"x") for _ in range(200)))


async def test_a_broker_that_is_not_there_is_a_lost_connection() -> None:
    with pytest.raises(ConnectionLostError):
        async with connected(Broker("127.0.0.1", 1), "x", None, lambda _: None):
            pass


@asynccontextmanager
async def _silent_broker() -> AsyncIterator[int]:
    """Accepts a client and never answers again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x20\x02\x00\x00")
        while await reader.read(1024):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
