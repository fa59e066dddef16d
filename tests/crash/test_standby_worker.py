"""Two APIs and two workers serve one fleet. The worker that is connected to the broker dies; the other takes over."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres
from tests.crash.load import stored
from tests.fleet import MqttDevice, reading
from tests.installation import Installation
from tests.product import Program
from tests.waiting import eventually

LONG = 60.0

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("away")]


class Fleet(NamedTuple):
    """The same database, broker and secrets; each has an API and a worker."""

    one: Installation
    other: Installation

    @property
    def workers(self) -> list[Program]:
        return [self.one.programs[1], self.other.programs[1]]

    def connected_worker(self) -> Program:
        """The one that holds the lease."""
        (found,) = [worker for worker in self.workers if "MQTT connected" in worker.log(10_000)]
        return found


@pytest.fixture
def fleet(directory: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        postgres = stack.enter_context(EmbeddedPostgres(directory / "postgres"))
        broker = stack.enter_context(EmbeddedNats(directory / "nats"))
        (directory / "other").mkdir()
        one = Installation(directory, postgres, broker, connector_auth="open")
        secret = one.environment["TIDEMARK_JWT_SECRET"]
        other = Installation(directory / "other", postgres, broker, connector_auth="open", jwt_secret=secret)
        yield Fleet(stack.enter_context(one.running()), stack.enter_context(other.running()))


def ask(installation: Installation, device: MqttDevice, payload: str) -> httpx.Response:
    url = f"{installation.api}/devices/command/{device.id}"
    return httpx.post(url, json={"payload": payload}, timeout=30)


def test_commands_over_mqtt_work_from_both_apis_and_go_on_after_the_connected_worker_was_killed(fleet: Fleet) -> None:
    with MqttDevice(fleet.one.broker.mqtt_url, will="offline") as device:
        device.announce()
        device.say("online")
        device.answer_commands()
        for number, installation in enumerate(fleet):
            eventually(lambda installation=installation: str(device.id) in listed(installation), seconds=LONG)
            answer = ask(installation, device, f"before {number}")
            assert (answer.status_code, answer.json()) == (200, {"response": f"R:before {number}", "errors": ""})
        # The acknowledgement of its announcement may have come after its presence.
        seen = [shown(installation, device)["sent_messages"] for installation in fleet]
        assert seen in ([2, 2], [3, 3])

        device.report(reading(device.sensor(), 1))
        fleet.connected_worker().kill()
        device.report(reading(device.sensor(), 2))

        # Nobody sends in the meantime, and nobody pretends to.
        refused = ask(fleet.one, device, "now")
        assert refused.status_code != 200 or refused.json()["response"] == "R:now"
        for number, installation in enumerate(fleet):
            eventually(
                lambda number=number, installation=installation: answers(installation, device, f"after {number}"),
                seconds=LONG,
                pause=0.2,
            )
            # That it is connected is signalled by the gateway a moment after it is.
            eventually(installation.is_ready, seconds=LONG)
        device.report(reading(device.sensor(), 3))
        eventually(lambda: len(values(fleet, device)) >= 3, seconds=LONG)
        assert values(fleet, device) == [1.0, 2.0, 3.0]
        sent = shown(fleet.one, device)["sent_messages"]
        assert sent == shown(fleet.other, device)["sent_messages"]
        assert sent >= 2
    survivor = next(worker for worker in fleet.workers if worker.is_alive)
    survivor.stop()


def listed(installation: Installation) -> list[str]:
    answer = httpx.get(f"{installation.api}/status", timeout=10)
    assert answer.status_code == 200, answer.text
    devices: list[str] = answer.json()["devices"]
    return devices


def shown(installation: Installation, device: MqttDevice) -> dict[str, int]:
    answer = httpx.get(f"{installation.api}/devices/{device.id}/show", timeout=10)
    assert answer.status_code == 200, answer.text
    metrics: dict[str, int] = answer.json()["metrics"]
    return metrics


def answers(installation: Installation, device: MqttDevice, payload: str) -> bool:
    answer = ask(installation, device, payload)
    assert answer.status_code == 200, answer.text
    assert answer.json()["response"] == f"R:{payload}"
    return True


def values(fleet: Fleet, device: MqttDevice) -> list[float]:
    found = stored(fleet.one.postgres.url)
    return sorted(one[1] for one in found if one[0] == str(device.sensor()))
