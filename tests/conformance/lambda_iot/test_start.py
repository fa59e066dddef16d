"""Cases that need a server of their own: an empty store, a restart, a broker that is away."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres
from tests.conformance.lambda_iot.client import Api
from tests.fleet import TOPIC, MqttDevice
from tests.installation import Installation
from tests.product import Product, frozen
from tests.waiting import eventually

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("own product")]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product that tests may restart. Its tests run in the order of the file."""
    with Product(tmp_path_factory.mktemp("own-product")) as product:
        yield product


def test_DE01_an_empty_store_lists_an_empty_array(own: Product) -> None:
    answer = httpx.get(f"{own.api}/devices")
    assert (answer.status_code, answer.content) == (200, b"[]")
    client = httpx.Client(base_url=own.api)
    person = Api(httpx.Client(base_url=own.api, headers=Api(client).register("admin").headers))
    for path in ("/sensors", "/actors", "/sensor-readings"):
        assert person.get(path).content == b"[]"


def test_MQ44_the_server_says_that_it_is_online(own: Product) -> None:
    with MqttDevice(own.urls["mqtt"]) as watcher:
        watcher.subscribe(f"{TOPIC}/server/status")
        eventually(lambda: [message.payload for message in watcher.heard] == [b"online"])
        assert watcher.heard[0].retain


def test_MQ44_and_that_it_goes_offline(own: Product) -> None:
    with MqttDevice(own.urls["mqtt"]) as watcher:
        watcher.subscribe(f"{TOPIC}/server/status")
        eventually(lambda: bool(watcher.heard))
        own.stop()
        eventually(lambda: watcher.heard[-1].payload == b"offline")
    own.start()
    with MqttDevice(own.urls["mqtt"]) as watcher:
        watcher.subscribe(f"{TOPIC}/server/status")
        eventually(lambda: watcher.heard[-1].payload == b"online" if watcher.heard else False)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_MQ25_a_retained_announcement_says_nothing_about_now(own: Product, how: str) -> None:
    with MqttDevice(own.urls["mqtt"]) as device:
        person = _logged_in(own)
        device.announce(device.announcement(name="retained"), retain=True)
        device.say("offline")
        person.sees_device(device, name="retained", status_id=4)
        own.stop() if how == "stop" else own.kill()
    own.start()
    person = _logged_in(own)
    with MqttDevice(own.urls["mqtt"]) as fence:
        fence.announce(fence.announcement(name="fence"))
        person.sees_device(fence)
        kept = person.sees_device(device, name="retained")
        assert kept["status_id"] == 4
        fence.publish(f"{TOPIC}/discovery", b"", retain=True)


def test_a_restart_keeps_accounts_tokens_and_everything_that_was_stored(own: Product) -> None:
    person = _logged_in(own)
    headers = dict(person.client.headers)
    with MqttDevice(own.urls["mqtt"]) as device:
        device.announce()
        person.sees_device(device)
        written = person.post("/sensor-readings", {"sensor_id": str(device.sensor()), "value": 1}).json()["id"]
        before = person.ok("/devices"), person.ok("/sensors"), person.ok(f"/sensor-readings/{written}")
        own.stop()
    own.start()
    again = Api(httpx.Client(base_url=own.api, headers={"Authorization": headers["authorization"]}))
    assert (again.ok("/devices"), again.ok("/sensors"), again.ok(f"/sensor-readings/{written}")) == before
    assert again.post("/sensor-readings", {"sensor_id": str(device.sensor()), "value": 2}).json()["id"] > written


def test_MQ43_a_server_starts_without_its_broker_and_finds_it_later(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "postgres") as postgres, EmbeddedNats(tmp_path / "nats") as broker:
        broker.stop()
        with Installation(tmp_path, postgres, broker).running(lambda it: it.answers("/health")) as installation:
            assert httpx.get(f"{installation.api}/health").json() == {"status": "ok"}
            assert installation.answers("/health/live")
            eventually(lambda: httpx.get(f"{installation.api}/health/ready").status_code == 503, seconds=30)
            with httpx.Client(base_url=installation.api, timeout=20) as client:
                account = Api(client).register()
            person = Api(httpx.Client(base_url=installation.api, timeout=20, headers=account.headers))
            assert person.ok("/devices") == []
            broker.start()
            eventually(installation.is_ready, seconds=60)
            with MqttDevice(broker.mqtt_url) as device:
                # As devices do: they announce themselves when the server says that it is there (3.5).
                device.subscribe(f"{TOPIC}/server/status")
                eventually(lambda: [message.payload for message in device.heard][-1:] == [b"online"], seconds=30)
                device.announce()
                person.sees_device(device)


def test_a_broker_that_hangs_makes_the_server_unready_and_nothing_else(own: Product) -> None:
    with frozen(own.server("nats-server")):
        assert httpx.get(f"{own.api}/health").json() == {"status": "ok"}
        assert _logged_in(own).get("/devices").status_code == 200
        eventually(lambda: httpx.get(f"{own.api}/health/ready", timeout=20).status_code == 503, seconds=90, pause=0.2)
        assert _logged_in(own).get("/devices").status_code == 200
    eventually(lambda: httpx.get(f"{own.api}/health/ready", timeout=20).status_code == 200, seconds=60, pause=0.2)
    with MqttDevice(own.urls["mqtt"]) as device:
        device.announce()
        _logged_in(own).sees_device(device)


def test_the_ready_file_says_where_everything_is(own: Product) -> None:
    assert own.ready["pid"] == own.pid
    assert {"api", "mqtt", "nats", "postgres"} <= set(own.urls)
    assert own.urls["api"].startswith("http://127.0.0.1:")
    assert own.urls["mqtt"].startswith("mqtt://127.0.0.1:")
    assert json.dumps(own.ready)


def _logged_in(product: Product) -> Api:
    with httpx.Client(base_url=product.api, timeout=20) as client:
        account = Api(client).register()
    return Api(httpx.Client(base_url=product.api, timeout=20, headers=account.headers))
