"""The connection starts without NATS, comes back for ever, ends quickly and never says a password."""

import asyncio
import logging
from time import monotonic
from urllib.parse import urlsplit

import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.nats.connection import NatsConnection
from tests.adapters.nats.installation import PATIENCE


async def test_it_opens_while_nats_is_away_and_connects_when_it_comes(
    nats_server: EmbeddedNats, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tidemark.nats")
    nats_server.stop()
    user, password = urlsplit(nats_server.url).username, urlsplit(nats_server.url).password
    async with NatsConnection(nats_server.url, "test") as connection, asyncio.timeout(PATIENCE):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.client(), 0.5)
        assert not connection.connected
        await asyncio.to_thread(nats_server.start)
        await connection.client()
        assert connection.connected
    messages = [record.getMessage() for record in caplog.records if record.name == "tidemark.nats"]
    assert [message.split(" NATS")[0] for message in messages] == ["cannot connect to", "connected to"]
    assert password is not None
    assert password not in caplog.text
    assert f"{user}:" not in caplog.text


async def test_every_restart_gives_a_new_client(nats_server: EmbeddedNats) -> None:
    async with NatsConnection(nats_server.url, "test") as connection, asyncio.timeout(PATIENCE):
        clients = connection.clients()
        first = await anext(clients)
        for end in (nats_server.stop, nats_server.kill):
            await asyncio.to_thread(end)
            await asyncio.to_thread(nats_server.restart)
            second = await anext(clients)
            assert second is not first
            assert second.is_connected
            first = second


async def test_what_was_published_is_sent_before_closing(nats_server: EmbeddedNats) -> None:
    async with NatsConnection(nats_server.url, "receiver") as receiver, asyncio.timeout(PATIENCE):
        subscription = await (await receiver.client()).subscribe("greeting")
        await (await receiver.client()).flush()
        async with NatsConnection(nats_server.url, "sender") as sender:
            await (await sender.client()).publish("greeting", b"hello")
        assert (await subscription.next_msg(5)).data == b"hello"


async def test_it_closes_within_two_seconds_when_the_server_does_not_answer() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"max_payload":1000,"headers":true}\r\n')
        if b"PING" not in await reader.readuntil(b"PING\r\n"):
            return
        writer.write(b"PONG\r\n")
        await reader.read(-1)  # and not a word more
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with NatsConnection(f"nats://127.0.0.1:{port}", "test") as connection:
            await asyncio.wait_for(connection.client(), PATIENCE)
            started = monotonic()
        assert monotonic() - started < 2.0
        server.close()
