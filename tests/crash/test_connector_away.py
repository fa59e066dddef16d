"""The cloud connector while something that it needs is away: it says so, does without where it can, and resumes."""

import json
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import httpx
import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres
from tests.conformance.cloud_connector.client import Connector, stream
from tests.fleet import MqttDevice
from tests.installation import Installation
from tests.servers import frozen, start_nats
from tests.waiting import eventually

PAGE = "http://ui"
SECONDS = 60.0

pytestmark = [pytest.mark.timeout(400), pytest.mark.xdist_group("away")]


@pytest.fixture
def broker(directory: Path) -> Iterator[EmbeddedNats]:
    with start_nats(directory / "nats") as nats:
        yield nats


@pytest.fixture
def installation(directory: Path, own_postgres: EmbeddedPostgres, broker: EmbeddedNats) -> Iterator[Installation]:
    installed = Installation(
        directory, own_postgres, broker, connector_auth="open", connector_origins=PAGE, command_timeout_s="4"
    )
    with installed.running():
        yield installed


@pytest.fixture
def connector(installation: Installation) -> Connector:
    return Connector(f"{installation.api}/connector", {"Origin": PAGE})


@pytest.fixture
def present(broker: EmbeddedNats, connector: Connector) -> Iterator[MqttDevice]:
    with MqttDevice(broker.mqtt_url) as device:
        device.answer_commands()
        device.announce()
        device.say("online")
        eventually(lambda: str(device.id) in connector.ids(), seconds=SECONDS)
        yield device


def is_away(answer: httpx.Response, *, asked: bool) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["access-control-allow-origin"] == PAGE
    body = answer.json()
    assert body["error"]
    assert body == ({"response": "", "error": body["error"], "errors": body["error"]} if asked else body)


def test_while_the_log_is_away_nothing_is_sent_and_everybody_is_told(
    installation: Installation, connector: Connector
) -> None:
    with connector.device() as device, stream(connector) as status:
        events = status.events()
        next(events)
        with frozen(installation.postgres):
            for _ in range(3):
                asked = monotonic()
                is_away(connector.ask("command", device.id, "x"), asked=True)
                assert monotonic() - asked < 10
            for path in ("/status", "/devices", "/cloud-connector/status", "/devices/ghost/show"):
                is_away(connector.get(path), asked=False)
            # What needs nobody else goes on: the connection, what went over it, and the live status.
            assert connector.show(device.id)["sent_messages"] == 0
            device.say("still here")
            while next(events)["metric"] != "received_messages":
                pass
        assert device.heard == []
        eventually(lambda: connector.ask("command", device.id, "on").status_code == 200, seconds=SECONDS)
        assert {question["payload"] for question in device.heard} == {"on"}
        eventually(lambda: connector.ids() == [device.id], seconds=SECONDS)


def test_while_nats_is_away_the_devices_of_this_process_are_reached(
    broker: EmbeddedNats, connector: Connector, present: MqttDevice
) -> None:
    with connector.device() as device:
        broker.kill()
        for _ in range(3):
            assert connector.ask("command", device.id, "on").json() == {"response": "R:on", "errors": ""}
        is_away(connector.ask("command", str(present.id), "on"), asked=True)
        is_away(connector.get(f"/devices/{present.id}/show"), asked=False)
        assert {one["device_id"] for one in connector.get("/devices").json()["devices"]} >= {device.id}
        broker.restart()
        assert connector.ask("query", device.id, "?").status_code == 200


def test_without_a_gateway_devices_on_mqtt_are_not_reached(
    installation: Installation, connector: Connector, present: MqttDevice
) -> None:
    body = json.dumps({"payload": "on"})
    assert connector.ask("command", str(present.id), body).json()["response"] == "R:on"
    worker = installation.programs[1]
    worker.kill()
    is_away(connector.ask("command", str(present.id), body), asked=True)
    worker.start()
    eventually(lambda: connector.ask("command", str(present.id), body).status_code == 200, seconds=SECONDS)
