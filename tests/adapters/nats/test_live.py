"""The live feed gives what follows a position without a gap, or says that the log is to be read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from nats.js.api import StreamConfig

from adapters.nats.connection import NatsConnection
from adapters.nats.live import NEAR, NatsLiveEvents
from application.ports import BehindError
from domain.catalogue import CATALOGUE
from domain.devices.device import DeviceConnected
from domain.event import Recorded
from domain.identity.user import UserRegistered
from tests.adapters.nats.installation import PATIENCE, Installation
from tests.persons import PERSON


@pytest.fixture
async def live(installation: Installation) -> AsyncIterator[NatsLiveEvents]:
    reader = installation.reader()
    async with NatsConnection(installation.nats.url, "test live") as connection:
        await connection.client()
        feed = NatsLiveEvents(connection, CATALOGUE, reader.identity)
        yield feed
        await feed.close()
    await reader.close()


async def _fetch(live: NatsLiveEvents, after: int, wanted: int, limit: int = 1000) -> list[Recorded]:
    """So many events after the position, however many fetches that takes and however often it says Behind."""
    events: list[Recorded] = []
    async with asyncio.timeout(PATIENCE):
        while len(events) < wanted:
            with suppress(BehindError):
                events += await live.fetch(after + len(events), limit, 0.5)
            await asyncio.sleep(0)
    return events


async def test_events_come_as_the_log_has_them(installation: Installation, live: NatsLiveEvents) -> None:
    await installation.append([DeviceConnected(through="mqtt")] * 30, correlation_id="c 1", causation_id="é")
    await installation.relay_all()
    events = await _fetch(live, 4, 26, limit=10)
    reader = installation.reader()
    assert events == await reader.read(4, 100)
    await reader.close()


async def test_a_new_event_arrives_while_it_is_waited_for(installation: Installation, live: NatsLiveEvents) -> None:
    async with installation.relaying() as (_, progress):
        await progress.reached(await installation.append(1))
        assert await live.fetch(1, 100, 0.1) == ()
        waiting = asyncio.create_task(live.fetch(1, 100, PATIENCE))
        await installation.append(1)
        assert [event.position for event in await waiting] == [2]


async def test_an_event_with_private_fields_is_left_to_the_log(
    installation: Installation, live: NatsLiveEvents
) -> None:
    await installation.append(3)
    await installation.append([UserRegistered(person=PERSON, username="ada", password_hash="secret")])
    await installation.append(2)
    await installation.relay_all()
    assert len(await _fetch(live, 0, 3)) == 3
    with pytest.raises(BehindError):
        await live.fetch(3, 10, 5)
    assert [event.position for event in await _fetch(live, 4, 2)] == [5, 6]


async def test_what_is_far_behind_is_left_to_the_log(installation: Installation, live: NatsLiveEvents) -> None:
    await installation.append(NEAR + 100)
    await installation.relay_all()
    for after in (0, 50, 900):
        with pytest.raises(BehindError):
            await live.fetch(after, 10, 5)
    assert [event.position for event in await _fetch(live, NEAR, 100)] == list(range(NEAR + 1, NEAR + 101))


async def test_expired_messages_are_a_gap(installation: Installation, live: NatsLiveEvents) -> None:
    await installation.append(10)
    await installation.relay_all()
    async with installation.client() as client:
        await client.jetstream().purge_stream("EVENTS", seq=6)
    with pytest.raises(BehindError):
        await live.fetch(2, 10, 5)
    assert [event.position for event in await _fetch(live, 5, 5)] == [6, 7, 8, 9, 10]


async def test_the_stream_of_another_log_is_not_listened_to(installation: Installation, live: NatsLiveEvents) -> None:
    async with installation.client() as client:
        stream = client.jetstream()
        await stream.add_stream(StreamConfig(name="EVENTS", subjects=["tidemark.events.>"]))
        headers = {"ce-source": "urn:uuid:another", "ce-type": "devices.device.connected.v1"}
        await stream.publish("tidemark.events.other", b'{"through":"mqtt"}', headers=headers)
    with pytest.raises(BehindError):
        await live.fetch(0, 10, 5)


@pytest.mark.parametrize("trouble", ["restart", "wipe", "consumer", "stream"])
async def test_it_goes_on_after_trouble(installation: Installation, live: NatsLiveEvents, trouble: str) -> None:
    async with installation.relaying() as (_, progress):
        await progress.reached(await installation.append(5))
        assert len(await _fetch(live, 0, 5)) == 5
        if trouble == "restart":
            await asyncio.to_thread(installation.nats.restart)
        elif trouble == "wipe":
            await asyncio.to_thread(installation.nats.stop)
            installation.nats.wipe()
            await asyncio.to_thread(installation.nats.start)
        else:
            async with installation.client() as client:
                if trouble == "consumer":
                    await client.jetstream().delete_consumer("EVENTS", "projections")
                else:
                    await client.jetstream().delete_stream("EVENTS")
        await installation.append(5)
        assert [event.position for event in await _fetch(live, 5, 5)] == [6, 7, 8, 9, 10]


async def test_asking_for_more_acknowledges_what_came_before(installation: Installation, live: NatsLiveEvents) -> None:
    await installation.append(10)
    await installation.relay_all()
    assert len(await _fetch(live, 0, 4, limit=4)) == 4
    assert len(await _fetch(live, 4, 6)) == 6
    async with installation.client() as client:
        # Six may come in several answers, and the next of them is asked for behind those that came.
        told = await client.jetstream().consumer_info("EVENTS", "projections")
        assert 4 <= told.ack_floor.stream_seq < 10
