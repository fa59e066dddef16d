"""One road through the whole product: a device, a person, a subscriber on NATS, an operator."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from datetime import datetime
from threading import Thread
from typing import Any
from uuid import uuid4

import httpx
import nats
import pytest
from nats.js.api import ConsumerConfig, DeliverPolicy

from tests.conformance.lambda_iot.client import PASSWORD, Api
from tests.fleet import MqttDevice, reading
from tests.product import Product
from tests.waiting import eventually

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("tour")]

REQUIRED = {
    "ce-specversion",
    "ce-id",
    "ce-source",
    "ce-type",
    "ce-time",
    "ce-subject",
    "ce-sequence",
    "ce-correlationid",
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    directory = tmp_path_factory.mktemp("tour")
    with Product(directory) as product:
        yield product
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def person(own: Product) -> Iterator[Api]:
    with httpx.Client(base_url=own.api, timeout=20) as client:
        account = Api(client).register()
    with httpx.Client(base_url=own.api, timeout=20, headers=account.headers) as client:
        yield Api(client)


async def copied(product: Product, count: int) -> list[Any]:
    """The first so many messages of the stream EVENTS, as a new subscriber gets them."""
    connection = await nats.connect(product.urls["nats"])
    try:
        stream = connection.jetstream()
        wants = ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
        subscription = await stream.subscribe("tidemark.events.>", ordered_consumer=True, config=wants)
        return [await subscription.next_msg(timeout=15) for _ in range(count)]
    finally:
        await connection.close()


async def test_a_subscriber_sees_the_events_of_a_discovery_and_of_a_reading(own: Product, person: Api) -> None:
    connection = await nats.connect(own.urls["nats"])
    heard: list[Any] = []

    async def hear(message: Any) -> None:
        heard.append(message)

    with MqttDevice(own.urls["mqtt"]) as device:
        await connection.subscribe("tidemark.events.devices.>", cb=hear)
        await connection.flush()
        device.announce()
        await asyncio.to_thread(person.sees_device, device)
        device.report(reading(device.sensor(), 22.5, "2026-01-14T10:00:00Z"))
        await asyncio.to_thread(person.sees_values, device.sensor(), 22.5)
        async with asyncio.timeout(10):
            while not any(message.headers["ce-type"] == "devices.readings.recorded.v1" for message in heard):
                await asyncio.sleep(0.02)
    await connection.close()
    by_type = {message.headers["ce-type"]: message for message in heard}
    assert {"devices.device.discovered.v1", "devices.sensor.added.v1", "devices.actor.added.v1"} <= set(by_type)
    for message in heard:
        headers = message.headers
        assert set(headers) >= REQUIRED, headers
        assert headers["ce-specversion"] == "1.0"
        assert headers["content-type"] == "application/json"
        assert datetime.fromisoformat(headers["ce-time"]).tzinfo is not None
        context, aggregate, event, version = headers["ce-type"].split(".")
        assert version[0] == "v"
        assert message.subject == f"tidemark.events.{context}.{aggregate}.{event}.{headers['ce-subject']}"
    sequences = [int(message.headers["ce-sequence"]) for message in heard]
    assert sequences == sorted(set(sequences))
    discovered = by_type["devices.device.discovered.v1"]
    assert discovered.headers["ce-subject"] == str(device.id)
    assert json.loads(discovered.data)["name"] == "ESP"
    recorded = json.loads(by_type["devices.readings.recorded.v1"].data)
    assert recorded["device_id"] == str(device.id)
    (measured,) = recorded["readings"]
    assert (measured["sensor_id"], measured["value"]) == (str(device.sensor()), 22.5)
    announced = {message.headers["ce-correlationid"] for message in heard if "added" in message.headers["ce-type"]}
    assert announced == {discovered.headers["ce-correlationid"]}, "what one message caused has one correlation id"


async def test_the_stream_holds_the_whole_log_in_order_and_no_secret(own: Product, person: Api) -> None:
    head = int(person.get("/devices").headers["tidemark-position"])
    messages = await copied(own, head)
    assert [int(message.headers["ce-sequence"]) for message in messages] == list(range(1, head + 1))
    assert len({message.headers["ce-id"] for message in messages}) == head
    registered = [message for message in messages if message.headers["ce-type"] == "identity.user.registered.v2"]
    assert registered
    assert set(json.loads(registered[0].data)) == {"person"}
    everything = "\n".join(f"{message.subject} {message.headers} {message.data!r}" for message in messages).lower()
    for secret in ("argon2", "password_hash", PASSWORD, "password", "username"):
        assert secret not in everything


def test_no_secret_is_in_the_log_of_the_product(own: Product, person: Api) -> None:
    client = httpx.Client(base_url=own.api)
    account = Api(client).register()
    client.post("/login", json={"username": account.username, "password": "a wrong password"})
    written = own.log(1_000_000)
    for secret in ("argon2", PASSWORD, "a wrong password", account.token, str(person.client.headers["authorization"])):
        assert secret not in written


def test_a_write_tells_its_position_and_the_next_read_has_it(own: Product, person: Api) -> None:
    with MqttDevice(own.urls["mqtt"]) as device:
        device.announce()
        person.sees_device(device)
    positions = []
    for value in range(20):
        written = person.post("/sensor-readings", {"sensor_id": str(device.sensor()), "value": value})
        positions.append(int(written.headers["tidemark-position"]))
        read = person.get(f"/sensor-readings/{written.json()['id']}")
        assert read.status_code == 200
        assert int(read.headers["tidemark-position"]) >= positions[-1]
    assert positions == sorted(set(positions))


def test_projections_are_shown_with_position_lag_rate_and_state(own: Product, person: Api) -> None:
    def caught_up() -> Any:
        shown = projections(person)
        assert all(one["lag"] == 0 for one in shown)
        return shown

    for one in eventually(caught_up):
        assert {"name", "position", "lag", "rate", "state"} <= set(one)
        assert isinstance(one["position"], int)
        assert isinstance(one["rate"], int | float)
        assert one["state"] == "live"
    assert {"accounts", "directory", "readings"} <= {one["name"] for one in eventually(caught_up)}


def test_read_models_are_rebuilt_while_they_are_read(own: Product, person: Api) -> None:
    with MqttDevice(own.urls["mqtt"]) as device:
        device.announce()
        person.sees_device(device)
        for first in range(0, 2000, 500):
            device.report(*[reading(device.sensor(), first + number) for number in range(500)])
        eventually(lambda: len(person.readings_of(device.sensor(), limit=1000, page=1)) == 1000)
        before = person.ok("/devices"), person.ok("/sensors"), person.ok("/actors")
        printed: list[str] = []
        rebuilding = Thread(target=lambda: printed.append(own.run("rebuild", "all")))
        rebuilding.start()
        reads = 0
        while rebuilding.is_alive():
            assert (person.ok("/devices"), person.ok("/sensors"), person.ok("/actors")) == before
            assert len(person.readings_of(device.sensor(), limit=1000, page=1)) == 1000
            written = person.post("/sensor-readings", {"sensor_id": str(device.sensor()), "value": -1})
            assert person.get(f"/sensor-readings/{written.json()['id']}").status_code == 200
            reads += 1
        rebuilding.join()
    assert printed, "the rebuild failed"
    assert reads > 0
    assert (person.ok("/devices"), person.ok("/sensors"), person.ok("/actors")) == before
    shown = {one["name"]: one["rebuild"] for one in projections(person)}
    for name in ("accounts", "directory", "readings"):
        assert shown[name]["state"] == "done", shown[name]
        assert {"state", "position", "target", "rate"} <= set(shown[name])


def test_health_is_told_for_people_and_for_machines(own: Product) -> None:
    assert httpx.get(f"{own.api}/health/live").status_code == 200
    eventually(lambda: httpx.get(f"{own.api}/health/ready").status_code == 200)
    metrics = httpx.get(f"{own.api}/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert "tidemark_" in metrics.text


def test_commands_beside_the_running_product(own: Product, person: Api) -> None:
    events = own.run("events", "--json")
    head = int(person.get("/devices").headers["tidemark-position"])
    lines = [json.loads(line) for line in events.splitlines() if line.startswith("{")]
    assert 0 < len(lines) <= head
    assert "argon2" not in events
    token = own.run("token", "--subject", f"op-{uuid4().hex[:6]}").strip().splitlines()[-1]
    assert token.count(".") == 2
    own.run("doctor")


def projections(person: Api) -> list[dict[str, Any]]:
    answer = person.client.get("/projections")
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    listed = shown["projections"] if isinstance(shown, dict) else shown
    assert isinstance(listed, list)
    return listed
