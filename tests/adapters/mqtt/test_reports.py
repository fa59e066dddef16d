"""Metrics that devices report on `{topic}/<device_id>/metrics`: how they are read, and how they are recorded."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiomqtt
import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.mqtt.messages import Ignored, Malformed, Understood, understand
from adapters.mqtt.reports import MAX_REPORTS, Reports
from adapters.mqtt.topics import Topics
from domain.devices.device import DeviceDiscovered
from domain.devices.readings import ReadingsRecorded
from domain.metrics.reports import MetricsReported
from tests.adapters.mqtt.running import Running, TestDevice, client, running, until

DEVICE = uuid4()


def report(**changes: Any) -> dict[str, Any]:
    return {"name": "load", "value": 1, "units": "", "type": "uint8", "slope": "both", "ttl": 60, **changes}


def told(payload: Any, device: object = DEVICE, retained: bool = False) -> Understood:
    encoded = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return understand(Topics("t"), f"t/{device}/metrics", encoded, retained)


def test_one_report_is_an_object_and_many_are_an_array() -> None:
    one, many = told(report()), told([report(), report(name="heat", type="double", value=2.5)])
    assert isinstance(one, Reports)
    assert isinstance(many, Reports)
    assert [one.device_id, many.device_id] == [DEVICE, DEVICE]
    assert [each.value for each in (*one.reports, *many.reports)] == [1, 1, 2.5]


@pytest.mark.parametrize("bad", [report(value=256), report(ttl="60"), report(name=" "), 5, [report()], {}])
def test_one_bad_element_does_not_spoil_the_others(bad: Any) -> None:
    understood = told([report(name="a"), bad, report(name="b")])
    assert isinstance(understood, Reports)
    assert [each.name for each in understood.reports] == ["a", "b"]
    assert understood.rejected == 1
    assert understood.because


@pytest.mark.parametrize(
    "payload",
    [
        report(slope=None),
        {},
        [],
        5,
        [report(value="1")],
        [report()] * (MAX_REPORTS + 1),
        json.dumps(report(value=7)).replace("7", "-0").encode(),
        json.dumps(report(type="double", value=7)).replace("7", "1e400").encode(),
        report(type="double", value=float("nan")),
        report(ttl=2**63),
        b"{",
        b"[" * 100_000,
    ],
)
def test_what_is_no_report_is_malformed(payload: Any) -> None:
    assert isinstance(told(payload), Malformed)


def test_the_reason_is_the_contracts() -> None:
    assert told(report(ttl=-1)) == Malformed("ttl must be 1 or greater")


def test_a_topic_without_a_devices_id_is_malformed() -> None:
    assert isinstance(told(report(), device="web01"), Malformed)


def test_a_kept_report_says_nothing_about_now() -> None:
    assert isinstance(told(report(), retained=True), Ignored)
    assert isinstance(told(b""), Ignored)


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


async def test_reports_are_recorded_in_order_with_the_devices_other_messages(
    cloud: Running, publisher: aiomqtt.Client, topic: str
) -> None:
    device = TestDevice(topic)
    both = json.dumps([report(name="a"), report(name="b")]).encode()
    for to, payload in (
        (device.discovery_topic, device.discovery()),
        (device.metrics_topic, both),
        (device.readings_topic, device.payload(1)),
        (device.metrics_topic, json.dumps(report(name="c")).encode()),
    ):
        await publisher.publish(to, payload, qos=1)
    await cloud.idle(4)
    events = await cloud.events()
    assert isinstance(events[0], DeviceDiscovered)
    last = [event for event in events if isinstance(event, MetricsReported | ReadingsRecorded)]
    assert [type(event) for event in last] == [MetricsReported, ReadingsRecorded, MetricsReported]
    assert isinstance(last[0], MetricsReported)
    assert last[0].device_id == device.id
    assert [each.name for each in last[0].reports] == ["a", "b"]


async def test_what_an_unknown_device_reports_is_refused_and_acknowledged(
    cloud: Running, publisher: aiomqtt.Client, topic: str
) -> None:
    await publisher.publish(TestDevice(topic).metrics_topic, json.dumps(report()).encode(), qos=1)
    await until(lambda: cloud.counts.rejected["refused"] == 1 and not cloud.gateway.unacknowledged)
    assert not [event for event in await cloud.events() if isinstance(event, MetricsReported)]


async def test_elements_that_are_no_reports_are_counted(cloud: Running, publisher: aiomqtt.Client, topic: str) -> None:
    device = TestDevice(topic)
    await publisher.publish(device.discovery_topic, device.discovery(), qos=1)
    await publisher.publish(device.metrics_topic, json.dumps([report(), report(ttl=0)]).encode(), qos=1)
    await cloud.idle(2)
    (recorded,) = [event for event in await cloud.events() if isinstance(event, MetricsReported)]
    assert len(recorded.reports) == 1
    assert cloud.counts.rejected["malformed"] == 1
