"""Devices on MQTT are connected like those on WebSocket, and a registered device is the same by all its names."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.conformance.cloud_connector.client import Connector, is_refused
from tests.conformance.lambda_iot.client import Api
from tests.conformance.lambda_iot.conftest import anybody, person  # noqa: F401  # fixtures
from tests.fleet import TOPIC, MqttDevice, payloads
from tests.product import Product
from tests.waiting import eventually


@pytest.fixture
def present(product: Product, connector: Connector) -> Iterator[MqttDevice]:
    """Announced and online over MQTT; it answers at once."""
    with MqttDevice(product.urls["mqtt"]) as device:
        device.answer_commands()
        device.announce()
        device.say("online")
        eventually(lambda: str(device.id) in connector.ids())
        yield device
        device.say("offline")


def test_a_device_on_mqtt_is_listed_and_shown(mount: Connector, connector: Connector, present: MqttDevice) -> None:
    assert str(present.id) in mount.ids()
    listed = connector.listed(str(present.id))
    assert listed is not None
    assert listed["device_name"] == "ESP"
    metrics = eventually(lambda: mount.show(str(present.id)))
    assert metrics["received_messages"] >= 1


@pytest.mark.parametrize("kind", ["command", "query"])
def test_a_device_on_mqtt_is_asked(mount: Connector, present: MqttDevice, kind: str) -> None:
    answer = mount.ask(kind, str(present.id), {"payload": "on"})
    assert (answer.status_code, answer.json()) == (200, {"response": "R:on", "errors": ""})
    (heard,) = payloads(present.heard)
    assert (heard["type"], heard["payload"]) == (kind, "on")
    assert set(heard) == {"id", "type", "payload", "timestamp"}


def test_its_messages_are_counted(connector: Connector, present: MqttDevice) -> None:
    before = connector.show(str(present.id))
    assert connector.ask("command", str(present.id), "x").status_code == 200
    after = connector.show(str(present.id))
    assert after["sent_messages"] == before["sent_messages"] + 1
    assert after["received_messages"] == before["received_messages"] + 1


def test_a_silent_device_on_mqtt_times_out(product: Product, connector: Connector) -> None:
    with MqttDevice(product.urls["mqtt"]) as device, ThreadPoolExecutor(2) as pool:
        device.announce()
        device.say("online")
        eventually(lambda: str(device.id) in connector.ids())
        kinds = ("command", "query")
        asked = {kind: pool.submit(connector.ask, kind, str(device.id), "x") for kind in kinds}
        for kind, one in asked.items():
            is_refused(one.result(), 408, f"Device {kind} timeout")
        device.say("offline")


def test_a_device_that_goes_offline_is_not_connected_any_more(connector: Connector, present: MqttDevice) -> None:
    present.say("offline")
    eventually(lambda: str(present.id) not in connector.ids())
    is_refused(connector.ask("command", str(present.id), "x"), 404, "Device not found")


def test_a_registered_device_is_the_same_by_all_its_names(connector: Connector, person: Api) -> None:  # noqa: F811
    external = f"plc-{uuid4().hex[:8]}"
    described = {
        "name": "PLC",
        "description": "of the press",
        "location": "hall",
        "status_id": 1,
        "external_id": external,
    }
    created = person.post("/devices", described)
    assert created.status_code == 201, created.text
    id = created.json()["id"]
    with connector.device(external):
        for name in (external, id):
            assert connector.ask("command", name, "on").json()["response"] == "R:on"
            assert connector.show(name)["sent_messages"] >= 1
        assert connector.ids().count(external) == 1
        assert id not in connector.ids()
        asked = person.ok(f"/devices/{id}/commands")
        assert [(one["kind"], one["state"]) for one in asked] == [("command", "answered")] * 2
        # By its id it is the same device: the newest connection counts.
        with connector.device(id) as again:
            assert connector.ask("query", external, "who?").json()["response"] == "R:who?"
            assert len(again.heard) == 1
    eventually(lambda: external not in connector.ids() and id not in connector.ids())


def test_of_two_roads_the_websocket_is_taken(connector: Connector, present: MqttDevice) -> None:
    with connector.device(str(present.id)) as socket:
        assert connector.ask("command", str(present.id), "on").json()["response"] == "R:on"
        assert len(socket.heard) == 1
        assert present.heard == []
        assert connector.ids().count(str(present.id)) == 1
    body = json.dumps({"payload": "mqtt"})
    eventually(lambda: connector.ask("command", str(present.id), body).json()["response"] == "R:mqtt")
    assert f"{TOPIC}/{present.id}/commands" in {message.topic for message in present.heard}
