"""From what devices publish to what is recorded, over a real broker and a real log."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import aiomqtt
import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.mqtt.silence import SilenceWatch
from application.devices.command import IssueCommand
from application.ports import NotPublishedError
from domain.devices.command import DeviceCommandAnswered
from domain.devices.device import DEVICE, DeviceConnected, DeviceDisconnected, DeviceDiscovered, DeviceStatusChanged
from domain.devices.readings import ReadingsRecorded
from domain.devices.state_message import StateMessageReceived
from domain.event import Origin
from tests.adapters.mqtt.running import Running, TestDevice, client, events_of, running, until
from tests.servers import start_nats

AT = datetime(2026, 1, 14, 10, tzinfo=UTC)


@pytest.fixture
def topic() -> str:
    return f"t{uuid4().hex}"


@pytest.fixture
async def cloud(nats_server: EmbeddedNats, database_url: str, topic: str) -> AsyncIterator[Running]:
    async with running(nats_server.mqtt_url, database_url, topic) as parts:
        await parts.connected()
        yield parts


@pytest.fixture
async def publisher(nats_server: EmbeddedNats) -> AsyncIterator[aiomqtt.Client]:
    async with client(nats_server.mqtt_url) as connection:
        yield connection


async def publish(client: aiomqtt.Client, topic: str, payload: bytes, retain: bool = False) -> None:
    await client.publish(topic, payload, qos=1, retain=retain)


async def test_a_discovery_and_its_readings_are_recorded_in_order(
    cloud: Running, publisher: aiomqtt.Client, topic: str
) -> None:
    device = TestDevice(topic)
    await publish(publisher, device.discovery_topic, device.discovery())
    await publish(publisher, device.readings_topic, device.payload(21.5, AT))
    await until(lambda: cloud.counts.recorded == 1)
    events = await cloud.events()
    assert isinstance(events[0], DeviceDiscovered)
    assert isinstance(events[-1], ReadingsRecorded)
    assert events[-1].device_id == device.id
    assert events[-1].readings[0].value_at == AT


async def test_mq34_two_readings_are_stored_and_one_of_an_unknown_sensor_is_rejected(
    cloud: Running, publisher: aiomqtt.Client, topic: str
) -> None:
    device = TestDevice(topic)
    await publish(publisher, device.discovery_topic, device.discovery())
    three = [device.reading(1), device.reading(2, uuid4()), device.reading(3, device.sensors[1])]
    await publish(publisher, device.readings_topic, json.dumps(three).encode())
    await until(lambda: cloud.counts.recorded == 2)
    assert cloud.counts.left_out == 1
    assert await cloud.values() == [1, 3]


async def test_mq22_malformed_messages_change_nothing_and_the_next_valid_one_works(
    cloud: Running, publisher: aiomqtt.Client, topic: str
) -> None:
    device = TestDevice(topic)
    for payload in (b"{{{", b"[]", b'""', b"a" * 2**20, b"[" * 100_000):
        await publish(publisher, device.discovery_topic, payload)
    await publish(publisher, device.discovery_topic, device.discovery())
    await until(lambda: cloud.counts.received["discovery"] == 1 and not cloud.gateway.unacknowledged)
    assert cloud.counts.rejected["malformed"] == 5
    assert [event.name for event in await cloud.events() if isinstance(event, DeviceDiscovered)] == ["probe"]


async def test_mq23_a_sensor_of_another_device_rejects_the_whole_announcement(
    cloud: Running, publisher: aiomqtt.Client, topic: str
) -> None:
    owner, thief = TestDevice(topic), TestDevice(topic)
    await publish(publisher, owner.discovery_topic, owner.discovery())
    await until(lambda: cloud.counts.received["discovery"] == 1 and not cloud.gateway.unacknowledged)
    before = await cloud.events()
    thief.sensors[1] = owner.sensors[0]
    await publisher.subscribe(thief.response_topic)
    await publish(publisher, thief.discovery_topic, thief.discovery())
    answer = await asyncio.wait_for(anext(aiter(publisher.messages)), 5)
    assert json.loads(str(answer.payload, "utf-8"))["status"] == "error"
    assert cloud.counts.rejected["refused"] == 1
    assert await cloud.events() == before


async def test_an_announcement_is_answered_on_the_response_topic(
    cloud: Running, publisher: aiomqtt.Client, topic: str
) -> None:
    device = TestDevice(topic)
    await publisher.subscribe(device.response_topic)
    await publish(publisher, device.discovery_topic, device.discovery())
    answer = await asyncio.wait_for(anext(aiter(publisher.messages)), 5)
    told = {"type": "discovery_ack", "device_id": str(device.id), "status": "ok"}
    assert json.loads(str(answer.payload, "utf-8")) == told


async def test_mq25_a_kept_discovery_leaves_the_status_as_it_is(
    nats_server: EmbeddedNats, database_url: str, topic: str, publisher: aiomqtt.Client
) -> None:
    device = TestDevice(topic)
    async with running(nats_server.mqtt_url, database_url, topic) as first:
        await first.connected()
        await publish(publisher, device.discovery_topic, device.discovery(), retain=True)
        await publish(publisher, device.status_topic, b"offline")
        await first.idle(2)
    async with running(nats_server.mqtt_url, database_url, topic, client_id=f"new-{topic}") as second:
        await until(lambda: second.counts.received["discovery"] == 1 and not second.gateway.unacknowledged)
        statuses = [event.status for event in await second.events() if isinstance(event, DeviceStatusChanged)]
    assert statuses == [4]


async def test_mq37_the_will_of_a_device_that_dies_disconnects_it(
    cloud: Running, publisher: aiomqtt.Client, nats_server: EmbeddedNats, topic: str
) -> None:
    device = TestDevice(topic)
    will = aiomqtt.Will(device.status_topic, b"offline", qos=1, retain=True)
    async with client(nats_server.mqtt_url, will=will) as dying:
        await publish(dying, device.discovery_topic, device.discovery())
        await publish(dying, device.status_topic, b"online", retain=True)
        await until(lambda: cloud.counts.received["presence"] == 1)
        dying._client.socket().shutdown(2)  # type: ignore[union-attr]  # dies without a word
        await until(lambda: cloud.counts.received["presence"] == 2 and not cloud.gateway.unacknowledged)
        with pytest.raises(aiomqtt.MqttError):
            await publish(dying, device.status_topic, b"")
    events = await cloud.events()
    assert any(isinstance(event, DeviceConnected) for event in events)
    assert any(isinstance(event, DeviceDisconnected) for event in events)
    assert [event.status for event in events if isinstance(event, DeviceStatusChanged)] == [4]
    await publish(publisher, device.status_topic, b"")


async def test_mq41_the_gateway_ignores_what_it_says_itself(cloud: Running, topic: str) -> None:
    await cloud.gateway.publish(topic, b'{"type":"ping","timestamp":"2026-01-14T10:00:00Z"}')
    await until(lambda: cloud.counts.received["ignored"] >= 1 and not cloud.gateway.unacknowledged)
    assert await cloud.events() == []


async def test_mq44_the_server_tells_when_it_comes_and_goes(
    nats_server: EmbeddedNats, database_url: str, topic: str, publisher: aiomqtt.Client
) -> None:
    async with running(nats_server.mqtt_url, database_url, topic) as parts:
        await parts.connected()
        await publisher.subscribe(f"{topic}/server/status", qos=1)
        words = aiter(publisher.messages)
        assert (await asyncio.wait_for(anext(words), 5)).payload == b"online"
    assert (await asyncio.wait_for(anext(words), 5)).payload == b"offline"


async def test_a_device_that_never_speaks_of_its_presence_falls_silent_and_is_heard_again(
    nats_server: EmbeddedNats, database_url: str, topic: str, publisher: aiomqtt.Client
) -> None:
    seconds = 0.0
    device = TestDevice(topic)
    watch = SilenceWatch(lambda: seconds)
    async with running(nats_server.mqtt_url, database_url, topic, silence=watch) as parts:
        await parts.connected()
        await publish(publisher, device.discovery_topic, device.discovery())
        await parts.idle(1)
        seconds = 181.0
        await parts.gateway.report_silence()
        await publish(publisher, device.readings_topic, device.payload(1))
        await until(lambda: parts.counts.recorded == 1)
        told = [(e.status, e.reason) for e in await parts.events() if isinstance(e, DeviceStatusChanged)]
    assert told == [(4, "silent"), (1, "heard")]


async def test_mq43_a_gateway_starts_without_a_broker_and_connects_when_it_comes(
    database_url: str, topic: str, tmp_path: Path
) -> None:
    with start_nats(tmp_path) as nats:
        nats.kill()
        async with running(nats.mqtt_url, database_url, topic) as parts:
            with pytest.raises(NotPublishedError):
                await parts.gateway.publish(topic, b"{}")
            assert not parts.gateway.connected
            await asyncio.to_thread(nats.restart)
            await parts.connected()


async def test_a_broker_that_restarts_gets_its_gateway_back_and_loses_nothing(
    database_url: str, topic: str, tmp_path: Path
) -> None:
    device = TestDevice(topic)
    with start_nats(tmp_path) as nats:
        async with running(nats.mqtt_url, database_url, topic) as parts:
            await parts.connected()
            async with client(nats.mqtt_url) as publisher:
                await publish(publisher, device.discovery_topic, device.discovery())
                for value in range(50):
                    await publish(publisher, device.readings_topic, device.payload(value))
            await asyncio.to_thread(nats.restart)
            await until(lambda: parts.counts.connections == 2)
            async with client(nats.mqtt_url) as publisher:
                await publish(publisher, device.readings_topic, device.payload(50))
            await until(lambda: parts.counts.recorded >= 51)
            assert sorted(set(await parts.values())) == list(range(51))


async def test_more_than_the_gateway_may_hold_stays_with_the_broker_and_arrives_later(
    nats_server: EmbeddedNats, database_url: str, topic: str, publisher: aiomqtt.Client
) -> None:
    device = TestDevice(topic)
    async with running(nats_server.mqtt_url, database_url, topic, max_unacknowledged=10) as parts:
        await parts.connected()
        await publish(publisher, device.discovery_topic, device.discovery())
        await asyncio.gather(
            *(publish(publisher, device.readings_topic, device.payload(value, AT)) for value in range(300))
        )
        await until(lambda: parts.counts.recorded == 300)
        assert sorted(await parts.values()) == list(range(300))


async def test_mq26_a_state_message_is_recorded_before_it_is_acknowledged(
    cloud: Running, publisher: aiomqtt.Client
) -> None:
    name = f"state:{uuid4().hex}"
    await publish(publisher, name, b"on")
    await until(lambda: cloud.counts.received["state"] == 1 and not cloud.gateway.unacknowledged)
    recorded = [event for event in await cloud.events() if isinstance(event, StateMessageReceived)]
    assert recorded == [StateMessageReceived(mqtt_topic=name, payload="on")]


async def test_what_is_neither_below_the_prefix_nor_a_state_is_acknowledged_and_nothing_else(
    cloud: Running, publisher: aiomqtt.Client, topic: str
) -> None:
    before = await cloud.events()
    for other in ("somebody/elses", "lambdaiotx/discovery", f"a/{topic}/discovery", "discovery"):
        await publish(publisher, other, b"{}")
    await until(lambda: cloud.counts.received["ignored"] >= 4 and not cloud.gateway.unacknowledged)
    assert await cloud.events() == before


async def test_mq31_a_kept_state_is_not_recorded_again(
    nats_server: EmbeddedNats, database_url: str, topic: str, publisher: aiomqtt.Client
) -> None:
    name = f"state:{uuid4().hex}"
    for number in range(2):
        async with running(nats_server.mqtt_url, database_url, topic) as parts:
            await parts.connected()
            await publish(publisher, name, b"kept", retain=number == 0)
            await until(lambda: parts.counts.received["state"] == 1 and not parts.gateway.unacknowledged)
    recorded = [event for event in await events_of(database_url) if isinstance(event, StateMessageReceived)]
    assert [event.mqtt_topic for event in recorded].count(name) == 2


async def test_switched_off_another_subscription_takes_the_place_of_the_one_the_broker_holds(
    nats_server: EmbeddedNats, database_url: str, topic: str, publisher: aiomqtt.Client
) -> None:
    device = TestDevice(topic)
    for keeps_state, subscribed in ((True, True), (False, False), (True, True)):
        async with running(nats_server.mqtt_url, database_url, topic, keeps_state=keeps_state) as parts:
            await parts.connected()
            await publish(publisher, f"state:{topic}", b"on")
            await publish(publisher, device.discovery_topic, device.discovery())
            await until(lambda: parts.counts.received["discovery"] == 1 and not parts.gateway.unacknowledged)
            assert parts.counts.received["state"] == subscribed
            assert parts.counts.received["discovery"] == 1


async def test_se19_while_the_broker_is_away_publishing_fails_and_nothing_is_sent_later(
    tmp_path: Path, database_url: str, topic: str
) -> None:
    with start_nats(tmp_path / "nats") as server:
        async with running(server.mqtt_url, database_url, topic) as parts:
            await parts.connected()
            server.kill()
            for _ in range(3):
                with pytest.raises(NotPublishedError):
                    await parts.gateway.publish_to_devices(b"never", 0.5)
            await until(lambda: not parts.gateway.connected)
            with pytest.raises(NotPublishedError):
                await parts.gateway.publish_to_devices(b"never", 0.5)
            server.restart()
            async with client(server.mqtt_url) as device:
                await device.subscribe(topic)
                await parts.connected()
                await parts.gateway.publish_to_devices(b"again", 10)
                heard = await asyncio.wait_for(anext(aiter(device.messages)), 20)
    assert heard.payload == b"again"


async def test_a_trigger_is_answered_by_a_reading_and_a_write_by_a_response(
    cloud: Running, publisher: aiomqtt.Client, topic: str
) -> None:
    device, actor = TestDevice(topic), uuid4()
    actors = [{"id": str(actor), "name": "led", "type": "led", "data_type_id": 2}]
    await publish(publisher, device.discovery_topic, device.discovery(actors=actors))
    await cloud.idle(1)
    origin = Origin(actor="user:ada", source="http", correlation_id="c-1")
    asked = {
        "trigger": IssueCommand(command_id=uuid4(), kind="trigger", part_id=device.sensors[0], action="read"),
        "write": IssueCommand(command_id=uuid4(), kind="write", part_id=actor, action="set", value=None),
    }
    for command in asked.values():
        await cloud.executor.execute(command, origin)
    await publish(publisher, device.readings_topic, device.payload(21.5))
    response = {"type": "actor_response", "actor_id": str(actor), "action": "set", "status": "ok", "value": [1]}
    await publish(publisher, device.response_topic, json.dumps(response).encode())
    await cloud.idle(3)
    answers = [event for event in await cloud.events() if isinstance(event, DeviceCommandAnswered)]
    assert answers == [
        DeviceCommandAnswered(command_id=asked["trigger"].command_id, status="ok", value=21.5),
        DeviceCommandAnswered(command_id=asked["write"].command_id, status="ok", value=[1]),
    ]
    known = await cloud.executor.find(DEVICE, device.id)
    assert known is not None
    assert not known.answer_awaited
