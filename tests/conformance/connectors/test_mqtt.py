"""The connector type `mqtt`, on a real broker (contract connectors 5.3)."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.conformance.connectors.client import App, is_error
from tests.product import Product
from tests.waiting import eventually

PROPERTIES = [{"id": "temperature", "pointer": "/t", "type": "NUMBER", "unit": "°C"}]


class Broker:
    """What devices on somebody's broker say and hear."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 1883
        self.heard: list[tuple[str, Any]] = []
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"test-{uuid4().hex}")
        self._client.on_message = lambda *message: self.heard.append((message[2].topic, json.loads(message[2].payload)))
        self._client.connect(self.host, self.port)
        self._client.loop_start()

    def say(self, topic: str, payload: Any) -> None:
        """Returns when the broker has it."""
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self._client.publish(topic, raw, qos=1).wait_for_publish(20)

    def listen(self, topic: str) -> None:
        subscribed: list[bool] = []
        self._client.on_subscribe = lambda *_: subscribed.append(True)
        self._client.subscribe(topic, qos=1)
        eventually(lambda: subscribed)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker(product: Product) -> Iterator[Broker]:
    broker = Broker(product.urls["mqtt"])
    yield broker
    broker.close()


@pytest.fixture
def home() -> str:
    return f"home-{uuid4().hex[:8]}"


@pytest.fixture
def connected(app: App, broker: Broker) -> App:
    app.instance("mqtt", host=broker.host, port=broker.port)
    return app


def thing_of(app: App, client: str, name: str, things: int = 1) -> str:
    shown = app.becomes(client, "STARTED", things=things)
    return {one["connector_thing_id"]: str(one["thing_id"]) for one in shown["mappings"]}[name]


def test_what_devices_say_are_things(connected: App, broker: Broker, home: str) -> None:
    client = connected.new_client("s1", "mqtt", state_topic=f"{home}/+/state", properties=PROPERTIES)
    connected.becomes(client, "STARTED")
    broker.say(f"{home}/stove/state", {"t": 180.5})
    thing = thing_of(connected, client, "stove")
    assert connected.property(thing, "data", "temperature")["value"] == "180.5"
    broker.say(f"{home}/stove/state", {"t": 181})
    eventually(lambda: connected.property(thing, "data", "temperature")["value"] == "181")
    broker.say(f"{home}/stove/other", {"t": 5})
    broker.say(f"{home}/fridge/state", b"not json")
    broker.say(f"{home}/fridge/state", {"t": 4})
    fridge = thing_of(connected, client, "fridge", things=2)
    assert connected.property(fridge, "data", "temperature")["value"] == "4"
    assert connected.property(thing, "data", "temperature")["value"] == "181"


def test_a_payload_may_be_a_bare_value_and_a_topic_name_the_subject(connected: App, broker: Broker, home: str) -> None:
    client = connected.new_client(
        "s1",
        "mqtt",
        state_topic=f"{home}/{{subject}}/+/t",
        payload="raw",
        properties=[{"id": "t", "pointer": "", "type": "NUMBER"}],
    )
    connected.becomes(client, "STARTED")
    broker.say(f"{home}/s1/oven/t", b"20.25")
    assert connected.property(thing_of(connected, client, "oven"), "data", "t")["value"] == "20.25"
    refused = connected.try_client("a/b", "mqtt", state_topic=f"{home}/{{subject}}/+/t", properties=PROPERTIES)
    is_error(refused, 400, "INVALID_CONFIGURATION")


def test_a_device_that_goes_offline_is_unavailable(connected: App, broker: Broker, home: str) -> None:
    client = connected.new_client(
        "s1", "mqtt", state_topic=f"{home}/+/state", availability_topic=f"{home}/+/there", properties=PROPERTIES
    )
    connected.becomes(client, "STARTED")
    broker.say(f"{home}/stove/state", {"t": 1})
    thing = thing_of(connected, client, "stove")
    for word, status in ((b"offline", "UNAVAILABLE"), (b"online", "AVAILABLE")):
        broker.say(f"{home}/stove/there", word)
        eventually(lambda status=status: connected.get(f"/things/{thing}", "s1").json()["status"] == status)


def test_an_action_is_published(connected: App, broker: Broker, home: str) -> None:
    actions = [{"id": "heat", "parameters": [{"name": "degrees", "type": "NUMBER"}]}]
    client = connected.new_client(
        "s1",
        "mqtt",
        state_topic=f"{home}/+/state",
        command_topic=f"{home}/{{device}}/do/{{action}}",
        properties=PROPERTIES,
        actions=actions,
    )
    connected.becomes(client, "STARTED")
    broker.listen(f"{home}/+/do/+")
    broker.say(f"{home}/stove/state", {"t": 1})
    thing = thing_of(connected, client, "stove")
    asked = connected.act(thing, "data", "heat", {"degrees": 200}).json()
    assert asked["status"] == "COMPLETED"
    [(topic, heard)] = eventually(lambda: broker.heard)
    assert (topic, heard) == (
        f"{home}/stove/do/heat",
        {"id": asked["id"], "action": "heat", "parameters": {"degrees": "200"}},
    )


def test_with_a_topic_for_replies_an_action_is_pending_until_one_comes(
    connected: App, broker: Broker, home: str
) -> None:
    client = connected.new_client(
        "s1",
        "mqtt",
        state_topic=f"{home}/+/state",
        command_topic=f"{home}/{{device}}/do",
        reply_topic=f"{home}/+/done",
        properties=PROPERTIES,
        actions=[{"id": "heat"}],
    )
    connected.becomes(client, "STARTED")
    broker.say(f"{home}/stove/state", {"t": 1})
    thing = thing_of(connected, client, "stove")
    asked = connected.act(thing, "data", "heat", {}).json()
    assert asked["status"] == "PENDING"
    broker.say(f"{home}/stove/done", {"id": asked["id"], "status": "FAILED", "error": "no gas"})

    def shown() -> Any:
        return connected.get(f"/actions/requests/{asked['id']}", "s1").json()

    eventually(lambda: shown()["status"] == "FAILED")
    assert shown()["error"] == "no gas"


def test_a_broker_that_is_not_there_is_waited_for(app: App) -> None:
    app.instance("mqtt", host="127.0.0.1", port=1)
    client = app.new_client("s1", "mqtt", state_topic="a/+/b", properties=PROPERTIES, max_failures=1)
    assert app.shown(client)["status"] == "STARTING"


def test_a_broker_in_a_forbidden_network_is_not_reached(app: App) -> None:
    app.instance("mqtt", host="169.254.169.254")
    client = app.new_client("s1", "mqtt", state_topic="a/+/b", properties=PROPERTIES)
    assert "169.254.169.254" in app.becomes(client, "ERROR")["error"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"state_topic": "a/b"},
        {"state_topic": "a/+/+"},
        {"state_topic": "a/+/#"},
        {"state_topic": "a/x+/b"},
        {"state_topic": "elsewhere/+/b"},
        {"command_topic": "root/+/do"},
        {"properties": []},
        {"payload": "xml"},
        {"actions": [{"id": "heat"}]},
    ],
)
def test_what_cannot_be_is_refused(app: App, wrong: dict[str, Any]) -> None:
    app.instance("mqtt", host="127.0.0.1", topic_root="root")
    right: dict[str, Any] = {"state_topic": "root/+/state", "properties": PROPERTIES}
    is_error(app.try_client("s1", "mqtt", **{**right, **wrong}), 400, "INVALID_CONFIGURATION")
