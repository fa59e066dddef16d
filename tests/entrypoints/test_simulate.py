"""The simulated fleet, over a real broker and a real log."""

import asyncio
import io
from uuid import uuid4

from adapters.embedded.nats import EmbeddedNats
from application.ports import Question
from domain.devices.device import DeviceConnected, DeviceDisconnected, DeviceDiscovered
from domain.devices.sensor import SensorAdded
from entrypoints.simulate import FleetOptions, simulate
from tests.adapters.mqtt.running import running, until


async def test_a_fleet_announces_itself_reports_at_its_rate_and_says_goodbye(
    nats_server: EmbeddedNats, database_url: str
) -> None:
    topic, output = f"t{uuid4().hex}", io.StringIO()
    async with running(nats_server.mqtt_url, database_url, topic) as cloud:
        await cloud.connected()
        options = FleetOptions(
            url=nats_server.mqtt_url, topic=topic, devices=5, sensors=3, rate=100, per_message=2, duration=1
        )
        done = await simulate(options, output)
        await until(lambda: cloud.counts.recorded == done.readings and cloud.counts.received["presence"] == 10)
        await until(lambda: not cloud.gateway.unacknowledged)
        events = await cloud.events()
    assert done.failed == 0
    assert done.published == done.acknowledged
    assert 50 <= done.acknowledged <= 101
    for kind in (DeviceDiscovered, DeviceConnected, DeviceDisconnected):
        assert sum(isinstance(event, kind) for event in events) == 5
    assert output.getvalue().startswith("Done: ")
    assert cloud.counts.left_out == 0


async def test_simulated_devices_answer_what_they_are_asked(nats_server: EmbeddedNats, database_url: str) -> None:
    topic = f"t{uuid4().hex}"
    async with running(nats_server.mqtt_url, database_url, topic) as cloud:
        await cloud.connected()
        options = FleetOptions(url=nats_server.mqtt_url, topic=topic, devices=2, rate=10)
        fleet = asyncio.create_task(simulate(options, io.StringIO()))
        await until(lambda: cloud.counts.received["presence"] == 2 and not cloud.gateway.unacknowledged)
        devices = {event.device_id for event in await cloud.events() if isinstance(event, SensorAdded)}
        assert len(devices) == 2
        for device_id in devices:
            assert await cloud.gateway.ask(device_id, Question(uuid4(), "query", "well?"), 45) == "ok"
        fleet.cancel()
        await asyncio.wait([fleet])


async def test_a_cancelled_fleet_says_goodbye(nats_server: EmbeddedNats, database_url: str) -> None:
    topic = f"t{uuid4().hex}"
    async with running(nats_server.mqtt_url, database_url, topic) as cloud:
        await cloud.connected()
        options = FleetOptions(url=nats_server.mqtt_url, topic=topic, devices=2, rate=50)
        fleet = asyncio.create_task(simulate(options, io.StringIO()))
        await until(lambda: cloud.counts.recorded > 5)
        fleet.cancel()
        await asyncio.wait([fleet])
        await until(lambda: cloud.counts.received["presence"] == 4)
