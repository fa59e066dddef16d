"""The stream STREAMS has every message of every topic, once and in order, whatever happened to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import psycopg
import pytest
from nats.aio.msg import Msg
from nats.js.api import StreamConfig
from nats.js.errors import NotFoundError

from adapters.eventstore.checkpoint import Checkpoint
from adapters.eventstore.lease import Lease
from adapters.nats.connection import NatsConnection
from adapters.nats.message_relay import MessageRelay
from adapters.nats.stream import StreamLimits
from adapters.nats.topic_messages import STREAM, SUBJECTS, Copied, messages_of, subject_of
from domain.identifiers import partition_id
from domain.streams.partition import MessagesProduced
from tests.adapters.nats.installation import AT, PATIENCE, Installation

SECRET = "a value that is for readers of the topic"


def entry(name: str, number: int, offset: int, *values: Any, partition: int = 0) -> MessagesProduced:
    raw = msgspec.Raw(b"[" + b",".join(json.dumps(value).encode() for value in values) + b"]")
    return MessagesProduced(name=name, partition=partition, entry=number, offset=offset, count=len(values), values=raw)


async def produce(installation: Installation, name: str, entries: int, first: int = 1, values: int = 3) -> None:
    events = [
        entry(name, number, (number - 1) * values, *[[number, n] for n in range(values)])
        for number in range(first, first + entries)
    ]
    await installation.append(events, partition_id(name, 0), first)


@asynccontextmanager
async def relaying(installation: Installation) -> AsyncIterator[None]:
    async with NatsConnection(installation.nats.url, "test") as connection:
        relay = MessageRelay(
            connection,
            installation.reader(),
            Checkpoint(installation.url, "messages"),
            Lease(installation.url, "messages"),
            StreamLimits(),
        )
        running = asyncio.create_task(relay.run())
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def copied(installation: Installation, count: int) -> Sequence[Msg]:
    """The messages of the stream, as soon as there are so many."""
    async with installation.client() as client, asyncio.timeout(PATIENCE):
        stream = client.jetstream()
        while True:
            with suppress(NotFoundError):
                if (await stream.stream_info(STREAM)).state.messages >= count:
                    break
            await asyncio.sleep(0.02)
        subscription = await stream.subscribe(SUBJECTS, ordered_consumer=True)
        return [await subscription.next_msg(timeout=10) for _ in range(count)]


def offsets(messages: Sequence[Msg]) -> list[int]:
    return [int((message.headers or {})["tidemark-offset"]) for message in messages]


async def test_each_message_is_one_message_of_its_partition(installation: Installation) -> None:
    await installation.append(3)
    await installation.append([entry("orders", 1, 7, {"a": SECRET}, 2, partition=2)], partition_id("orders", 2))
    async with relaying(installation):
        first, second = await copied(installation, 2)
    assert (first.subject, second.subject) == ("tidemark.streams.orders.2",) * 2
    assert (json.loads(first.data), second.data) == ({"a": SECRET}, b"2")
    headers = dict(second.headers or {})
    assert headers.pop("tidemark-event")
    assert headers == {
        "Nats-Expected-Last-Sequence": "1",
        "Nats-Msg-Id": "4.8",
        "content-type": "application/json",
        "tidemark-position": "4",
        "tidemark-offset": "8",
        "tidemark-time": AT.isoformat(),
        "tidemark-topic": "orders",
        "tidemark-partition": "2",
    }


async def test_the_values_are_not_among_the_events(installation: Installation) -> None:
    await installation.append([entry("orders", 1, 0, SECRET)], partition_id("orders", 0))
    await installation.relay_all()
    (message,) = await installation.stream()
    assert json.loads(message.data) == {"name": "orders", "partition": 0, "entry": 1, "offset": 0, "count": 1}


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("product-stock", "product-stock"),
        ("orders.eu", "orders.eu"),
        (".a..b.", "%2Ea.%2Eb%2E"),
        ("a b*>%", "a%20b%2A%3E%25"),
        ("é", "%C3%A9"),
    ],
)
def test_any_name_of_a_topic_is_a_subject(name: str, subject: str) -> None:
    assert subject_of(name, 3) == f"tidemark.streams.{subject}.3"


async def test_nats_killed_under_load_gets_every_message_once(installation: Installation) -> None:
    async with relaying(installation):
        for round in range(3):
            producing = asyncio.create_task(produce(installation, "t", 500, 1 + 500 * round))
            await copied(installation, 1_500 * round + 1)
            await asyncio.to_thread(installation.nats.kill)
            await producing
            await asyncio.to_thread(installation.nats.restart)
        assert offsets(await copied(installation, 4_500)) == list(range(4_500))


async def test_it_goes_on_in_the_middle_of_a_request(installation: Installation) -> None:
    async with relaying(installation):
        await copied(installation, 0)
    await produce(installation, "t", 2, values=500)
    reader = installation.reader()
    rows = await reader.read_rows(0, 2)
    await reader.close()
    made = [message for row in rows for _, message in messages_of(row, Copied(0, -1), 1_000_000)]
    async with installation.client() as client:
        for message in made[:700]:
            lines = message.headers.decode().split("\r\n")[1:-2]
            headers = {name: value for name, _, value in (line.partition(": ") for line in lines)}
            await client.jetstream().publish(message.subject, message.data, headers=headers)
    async with relaying(installation):
        assert offsets(await copied(installation, 1_000)) == list(range(1_000))


async def test_a_stream_that_is_gone_or_of_another_log_is_filled_again(installation: Installation) -> None:
    await produce(installation, "t", 10)
    async with installation.client() as client:
        await client.jetstream().add_stream(StreamConfig(name=STREAM, subjects=[SUBJECTS]))
        await client.jetstream().publish("tidemark.streams.t.0", b"foreign")
    async with relaying(installation):
        assert offsets(await copied(installation, 30)) == list(range(30))


async def test_a_log_that_was_restored_and_written_again_is_noticed(installation: Installation) -> None:
    await produce(installation, "t", 2)
    async with relaying(installation):
        await copied(installation, 6)
    with psycopg.connect(installation.url) as connection:
        connection.execute("DELETE FROM events WHERE notification_id = 2")
    await installation.append([entry("t", 2, 3, "other")], partition_id("t", 0), 2)
    async with relaying(installation):
        async with asyncio.timeout(PATIENCE):
            while [message.data for message in await copied(installation, 4)][-1] != b'"other"':
                await asyncio.sleep(0.02)


async def test_what_the_stream_has_let_go_does_not_come_back(installation: Installation) -> None:
    await produce(installation, "t", 5)
    async with relaying(installation):
        await copied(installation, 15)
        async with asyncio.timeout(PATIENCE):
            while await _kept(installation) < 5:
                await asyncio.sleep(0.1)
    async with installation.client() as client:
        await client.jetstream().purge_stream(STREAM)
    await produce(installation, "t", 1, 6)
    async with relaying(installation):
        assert offsets(await copied(installation, 3)) == [15, 16, 17]


async def _kept(installation: Installation) -> int:
    checkpoint = Checkpoint(installation.url, "messages")
    try:
        return await checkpoint.load()
    finally:
        await checkpoint.close()


async def test_a_message_too_large_for_nats_is_announced(installation: Installation) -> None:
    largest = 8 * 1024 * 1024
    await installation.append([entry("t", 1, 0, "x" * largest)], partition_id("t", 0))
    async with relaying(installation):
        (message,) = await copied(installation, 1)
    assert (message.data, (message.headers or {})["ce-dataref"]) == (b"", "/streams/v1/topic/t/tail")
