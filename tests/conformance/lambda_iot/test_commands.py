"""Contract 4.3 (SE13 to SE20), 4.4 (AC07 to AC14) and 4.6 (MQ01 to MQ08, MQ40, MQ41): what devices are asked for."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from paho.mqtt.client import MQTTMessage

from application.devices.command import AskDevice, ConcludeCommand
from entrypoints.composition import write_path
from tests.conformance.lambda_iot.client import U0, Api, instant, is_error, seconds_ago
from tests.facts import ORIGIN
from tests.fleet import TOPIC, MqttDevice, payloads, reading
from tests.product import Product, frozen
from tests.waiting import eventually

PUBLISHED = {"status": "published", "topic": TOPIC}
NOT_PUBLISHED = "failed to publish to MQTT"

in_one_process = pytest.mark.xdist_group("own product of commands")


@pytest.fixture
def listening(known: MqttDevice) -> MqttDevice:
    """The known device, subscribed to what all devices hear."""
    known.subscribe(TOPIC)
    return known


def heard_by(device: MqttDevice, topic: str = TOPIC) -> list[dict[str, Any]]:
    """What was published for this device's sensor or actor."""
    ids = {str(device.sensor()), str(device.actor())}
    messages = [message for message in device.heard if message.topic == topic]
    return [said for said in payloads(messages) if ids & {said.get("sensor_id"), said.get("actor_id")}]


def nothing_more(device: MqttDevice, person: Api) -> list[dict[str, Any]]:
    """All that the device heard, after a later message has arrived too."""
    last = person.ok("/mqttping")["timestamp"]
    eventually(lambda: any(said.get("timestamp") == last for said in payloads(device.heard)))
    return heard_by(device)


def trigger(person: Api, device: MqttDevice, body: Any = b"") -> httpx.Response:
    return person.post(f"/sensors/{device.sensor()}/trigger", body)


def write(person: Api, device: MqttDevice, body: Any) -> httpx.Response:
    return person.post(f"/actors/{device.actor()}/write", body)


def commands(person: Api, device: MqttDevice, **query: Any) -> list[dict[str, Any]]:
    listed = person.ok(f"/devices/{device.id}/commands", params=query)
    assert isinstance(listed, list)
    return listed


def test_SE13_MQ01_a_trigger_without_a_body_asks_for_a_reading(person: Api, listening: MqttDevice) -> None:
    answer = trigger(person, listening)
    assert (answer.status_code, answer.json()) == (202, PUBLISHED)
    (said,) = eventually(lambda: heard_by(listening))
    assert set(said) == {"type", "sensor_id", "action", "requested_at"}
    assert (said["type"], said["sensor_id"], said["action"]) == ("sensor_trigger", str(listening.sensor()), "read")
    assert -1 < seconds_ago(said["requested_at"]) < 30
    (message,) = [message for message in listening.heard if b"sensor_trigger" in message.payload]
    assert (message.qos, message.retain) == (1, False)


@pytest.mark.parametrize(
    ("body", "action"),
    [({}, "read"), ({"action": ""}, "read"), ({"action": None}, "read"), ({"action": "calibrate"}, "calibrate")],
)
def test_SE14_SE15_SE16_the_action_is_read_unless_said_otherwise(
    person: Api, listening: MqttDevice, body: Any, action: str
) -> None:
    assert trigger(person, listening, body).status_code == 202
    (said,) = eventually(lambda: heard_by(listening))
    assert said["action"] == action


@pytest.mark.parametrize("body", ['{"action":5}', '{"action":["read"]}', '{"action":', "[]", '"read"', "null"])
def test_SE17_a_body_that_is_wrong_publishes_nothing(person: Api, listening: MqttDevice, body: str) -> None:
    is_error(trigger(person, listening, body), 400)
    assert nothing_more(listening, person) == []
    assert commands(person, listening) == []


def test_SE18_sensors_that_are_not_there(person: Api, known: MqttDevice) -> None:
    is_error(person.post("/sensors/abc/trigger", b""), 400, "invalid sensor ID")
    is_error(person.post(f"/sensors/{U0}/trigger", b""), 404, "resource not found")
    is_error(person.post(f"/sensors/{known.actor()}/trigger", b""), 404, "resource not found")
    is_error(person.post(f"/sensors/{U0}/trigger", b"{"), 404, "resource not found")


def test_a_retired_sensor_cannot_be_triggered(person: Api, known: MqttDevice) -> None:
    known.announce({**known.announcement(), "sensors": []})
    person.sees_parts(known, set())
    is_error(trigger(person, known), 404, "resource not found")


def test_SE20_a_trigger_is_a_POST(person: Api, known: MqttDevice) -> None:
    is_error(person.get(f"/sensors/{known.sensor()}/trigger"), 405, "method not allowed")


def test_without_a_token_nothing_is_published(anybody: Api, person: Api, listening: MqttDevice) -> None:
    is_error(trigger(anybody, listening), 401, "no claims")
    is_error(write(anybody, listening, {"action": "set"}), 401, "no claims")
    is_error(anybody.get(f"/devices/{listening.id}/commands"), 401, "no claims")
    assert nothing_more(listening, person) == []


def test_AC07_MQ02_a_write_reaches_the_device(person: Api, listening: MqttDevice) -> None:
    answer = write(person, listening, {"action": "set", "value": True})
    assert (answer.status_code, answer.json()) == (202, PUBLISHED)
    (said,) = eventually(lambda: heard_by(listening))
    requested_at = said.pop("requested_at")
    assert -1 < seconds_ago(requested_at) < 30
    assert said == {"type": "actor_command", "actor_id": str(listening.actor()), "action": "set", "value": True}


@pytest.mark.parametrize("body", ["{}", '{"value":1}', '{"action":""}', '{"action":null}'])
def test_AC08_a_write_needs_an_action(person: Api, listening: MqttDevice, body: str) -> None:
    is_error(write(person, listening, body), 400, "action is required")
    assert nothing_more(listening, person) == []


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '{"action":7}', '{"action":"set","value":NaN}', '{"action":"set","value":1e400}']
)
def test_a_write_that_is_not_understood_publishes_nothing(person: Api, listening: MqttDevice, body: str) -> None:
    is_error(write(person, listening, body), 400)
    assert nothing_more(listening, person) == []


def test_AC09_without_a_value_the_message_has_none(person: Api, listening: MqttDevice) -> None:
    assert write(person, listening, {"action": "toggle"}).status_code == 202
    (said,) = eventually(lambda: heard_by(listening))
    assert set(said) == {"type", "actor_id", "action", "requested_at"}


@pytest.mark.parametrize(
    "value",
    ["0", "false", "null", '"x"', '""', "[1]", "[]", '{"r":1}', "{}", "1.5", '"ä\\u0000"', "12345678901234567890123"],
)
def test_AC10_MQ03_every_value_arrives_as_it_was_sent(person: Api, listening: MqttDevice, value: str) -> None:
    body = f'{{"action":"set","value":{value}}}'
    assert write(person, listening, body).status_code == 202
    (said,) = eventually(lambda: heard_by(listening))
    assert json.dumps(said["value"]) == json.dumps(json.loads(value))
    (listed,) = commands(person, listening)
    assert json.dumps(listed["value"]) == json.dumps(json.loads(value))


def test_AC11_actors_that_are_not_there(person: Api, known: MqttDevice) -> None:
    body = {"action": "set"}
    is_error(person.post("/actors/abc/write", body), 400, "invalid actor ID")
    is_error(person.post(f"/actors/{U0}/write", body), 404, "resource not found")
    is_error(person.post(f"/actors/{known.sensor()}/write", body), 404, "resource not found")


def test_AC12_nobody_needs_to_listen(person: Api, known: MqttDevice) -> None:
    assert write(person, known, {"action": "set", "value": 1}).status_code == 202


def test_MQ03_a_ping_names_the_same_instant_over_HTTP_and_MQTT(person: Api, listening: MqttDevice) -> None:
    answer = person.ok("/mqttping")
    assert set(answer) == {"timestamp", "topic"}
    assert answer["topic"] == TOPIC
    assert instant(answer["timestamp"])
    eventually(lambda: {"type": "ping", "timestamp": answer["timestamp"]} in payloads(listening.heard))


def test_MQ04_a_ping_needs_a_token(anybody: Api, listening: MqttDevice, person: Api) -> None:
    is_error(anybody.get("/mqttping"), 401, "no claims")


def test_MQ07_who_subscribes_later_is_not_sent_old_commands(
    product: Product, person: Api, listening: MqttDevice
) -> None:
    write(person, listening, {"action": "set", "value": True})
    eventually(lambda: heard_by(listening))
    with MqttDevice(product.urls["mqtt"], mac=listening.mac) as late:
        late.subscribe(TOPIC)
        assert nothing_more(late, person) == []


def test_MQ41_what_we_say_ourselves_changes_nothing(person: Api, listening: MqttDevice) -> None:
    before = person.device(listening)
    for _ in range(3):
        trigger(person, listening)
    assert len(nothing_more(listening, person)) == 3
    assert person.device(listening) == before
    assert person.values_of(listening.sensor()) == []


# What became of it


def test_what_was_asked_when_and_by_whom_is_listed_the_newest_first(person: Api, known: MqttDevice) -> None:
    trigger(person, known)
    write(person, known, {"action": "set", "value": None})
    newest, oldest = commands(person, known)
    user = person.ok("/protected")["claims"]["user_id"]
    requested_at = newest.pop("requested_at")
    assert -1 < seconds_ago(requested_at) < 30
    assert newest.pop("id") != oldest["id"]
    assert newest == {
        "kind": "write",
        "part_id": str(known.actor()),
        "action": "set",
        "value": None,
        "actor": f"user:{user}",
        "state": "published",
        "answered_at": None,
    }
    assert (oldest["kind"], oldest["part_id"], oldest["action"]) == ("trigger", str(known.sensor()), "read")
    assert "value" not in oldest
    assert commands(person, known, limit=1)[0]["kind"] == "write"
    is_error(person.get(f"/devices/{known.id}/commands", params={"limit": "0"}), 400, "invalid limit")
    is_error(person.get(f"/devices/{U0}/commands"), 404, "resource not found")
    is_error(person.get("/devices/abc/commands"), 400, "invalid device ID")


def test_MQ40_a_reading_answers_the_trigger_and_is_stored_once(person: Api, known: MqttDevice) -> None:
    trigger(person, known)
    known.report(reading(known.sensor(), 21.5))
    person.sees_values(known.sensor(), 21.5)
    (listed,) = commands(person, known)
    assert (listed["state"], listed["answer"]) == ("answered", {"status": "ok", "value": 21.5})
    assert -1 < seconds_ago(listed["answered_at"]) < 30
    known.report(reading(known.sensor(), 22.5))
    person.sees_values(known.sensor(), 21.5, 22.5)
    assert commands(person, known) == [listed]


def test_a_response_answers_the_newest_write_of_that_action(person: Api, known: MqttDevice) -> None:
    for value in (1, 2):
        write(person, known, {"action": "set", "value": value})
    response = {"type": "actor_response", "actor_id": str(known.actor()), "action": "set"}
    known.publish(f"{TOPIC}/{known.id}/response", {**response, "action": "other", "status": "ok"})
    known.publish(f"{TOPIC}/{known.id}/response", {**response, "status": "error", "error": "jammed", "value": [2]})
    eventually(lambda: commands(person, known)[0]["state"] == "answered")
    newest, oldest = commands(person, known)
    assert newest["answer"] == {"status": "error", "error": "jammed", "value": [2]}
    assert (newest["value"], oldest["value"], oldest["state"]) == (2, 1, "published")


def test_a_device_answers_for_its_own_actors_only(product: Product, person: Api, known: MqttDevice) -> None:
    write(person, known, {"action": "set", "value": 1})
    response = {"type": "actor_response", "actor_id": str(known.actor()), "action": "set", "status": "ok"}
    with MqttDevice(product.urls["mqtt"]) as other:
        other.publish(f"{TOPIC}/{other.id}/response", response)
        other.announce()
        person.sees_device(other)
    assert commands(person, known)[0]["state"] == "published"


def test_what_a_connected_device_was_asked_is_listed_with_what_came_of_it(
    product: Product, person: Api, known: MqttDevice
) -> None:
    async def ask() -> None:
        device_id, ids = known.id, [uuid4() for _ in range(3)]
        outcomes: list[dict[str, str]] = [{"response": "21"}, {"reason": "the device is gone"}, {}]
        async with write_path(product.urls["postgres"]) as (executor, _):
            for id, outcome in zip(ids, outcomes, strict=True):
                asked = AskDevice(device_id=device_id, command_id=id, kind="query", payload="temp?")
                await executor.execute(asked, ORIGIN)
                await executor.execute(ConcludeCommand(device_id=device_id, command_id=id, **outcome), ORIGIN)

    asyncio.run(ask())
    silent, gone, answered = commands(person, known)
    for listed in (silent, gone, answered):
        assert (listed["kind"], listed["part_id"], listed["action"]) == ("query", None, "")
        assert (listed["value"], listed["actor"]) == ("temp?", ORIGIN.actor)
    assert (silent["state"], "error" in silent, "answer" in silent) == ("timed_out", False, False)
    assert (gone["state"], gone["error"]) == ("failed", "the device is gone")
    assert (answered["state"], answered["answer"]) == ("answered", {"status": "ok", "value": "21"})


# The broker away, another topic


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product whose broker these tests may stop, and that speaks on a topic of its own."""
    environment = {"TIDEMARK_MQTT_TOPIC": "acme"}
    with Product(tmp_path_factory.mktemp("commands"), environment=environment) as running:
        yield running


@pytest.fixture(scope="module")
def owner(own: Product) -> Iterator[Api]:
    with httpx.Client(base_url=own.api, timeout=20) as client:
        account = Api(client).register()
    with httpx.Client(base_url=own.api, timeout=20, headers=account.headers) as client:
        yield Api(client)


def acme_device(own: Product, owner: Api) -> MqttDevice:
    device = MqttDevice(own.urls["mqtt"])
    with device:
        device.publish("acme/discovery", device.announcement())
        owner.sees_device(device)
    return device


@in_one_process
def test_MQ08_the_topic_can_be_set(own: Product, owner: Api) -> None:
    device = MqttDevice(own.urls["mqtt"])
    with device:
        device.publish(f"{TOPIC}/discovery", device.announcement())
        device.publish("acme/discovery", device.announcement(name="acme"))
        owner.sees_device(device, name="acme")
        device.subscribe("acme")
        answer = trigger(owner, device)
        assert (answer.status_code, answer.json()) == (202, {"status": "published", "topic": "acme"})
        eventually(lambda: len(heard_by(device, "acme")) == 1)
        assert owner.ok("/mqttping")["topic"] == "acme"


@in_one_process
def test_SE19_AC13_MQ05_without_a_broker_it_is_an_error_and_nothing_is_sent_later(own: Product, owner: Api) -> None:
    device = acme_device(own, owner)
    # It does not come back while it is stopped, and answers nobody: the worst way of being away.
    server = own.server("nats-server")
    with frozen(server):
        for attempt in (trigger(owner, device), write(owner, device, {"action": "set"}), owner.get("/mqttping")):
            is_error(attempt, 500, NOT_PUBLISHED)
            assert attempt.elapsed.total_seconds() < 8  # promised are some 3, on an idle machine
        os.kill(server, signal.SIGKILL)
    heard: list[MQTTMessage] = []

    def works_again() -> bool:
        with MqttDevice(own.urls["mqtt"]) as listener:
            listener.heard = heard
            listener.subscribe("acme")
            last = owner.get("/mqttping")
            if last.status_code != 200:
                return False
            eventually(lambda: any(said.get("timestamp") == last.json()["timestamp"] for said in payloads(heard)))
            return True

    def attempt_again() -> bool:
        try:
            return works_again()
        except OSError:
            return False

    eventually(attempt_again, seconds=60)
    assert {said["type"] for said in payloads(heard)} == {"ping"}
    assert [listed["state"] for listed in commands(owner, device)] == ["failed", "failed"]
    assert trigger(owner, device).status_code == 202


@in_one_process
def test_MQ43_the_api_lives_while_the_worker_and_the_broker_do_not(own: Product, owner: Api) -> None:
    device = acme_device(own, owner)
    with frozen(own.server("nats-server")):
        assert owner.ok("/health") == {"status": "ok"}
        is_error(trigger(owner, device), 500, NOT_PUBLISHED)
    eventually(lambda: trigger(owner, device).status_code == 202, seconds=60)
