"""Contract 4.6, MQ26 to MQ32, and 3.4: what is published on topics that begin with `state:`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.conformance.lambda_iot.client import Api, instant, is_error, seconds_ago
from tests.fleet import TOPIC, MqttDevice
from tests.product import Product
from tests.waiting import eventually


@pytest.fixture
def topic() -> str:
    """A topic of the test's own."""
    return f"state:{uuid4().hex}"


def stored(person: Api, topic: str) -> list[dict[str, Any]]:
    """What is stored of the topic (and below it) on the first page, the newest first."""
    listed = person.ok("/messages", params={"include": "topic"})["messages"]
    return [one for one in listed if one["topic"] == topic or one["topic"].startswith(f"{topic}/")]


def payloads(person: Api, topic: str) -> list[str]:
    return [one["payload"] for one in stored(person, topic)]


def test_MQ26_a_message_is_stored_with_exactly_three_keys(person: Api, device: MqttDevice, topic: str) -> None:
    device.publish(topic, topic.encode())
    eventually(lambda: stored(person, topic))
    body = person.ok("/messages")
    assert set(body) == {"messages"}
    (one,) = [one for one in body["messages"] if one["payload"] == topic]
    assert set(one) == {"id", "payload", "timestamp"}
    assert type(one["id"]) is int
    assert -1 < seconds_ago(one["timestamp"]) < 30


def test_MQ27_a_topic_that_only_contains_it_is_not_stored(person: Api, device: MqttDevice, topic: str) -> None:
    for other in (f"{TOPIC}/{topic}", f"a{topic}", f"/{topic}", topic.upper()):
        device.publish(other, b"no")
    device.publish(topic, b"yes")
    eventually(lambda: payloads(person, topic) == ["yes"])
    listed = person.ok("/messages", params={"include": "topic"})["messages"]
    assert {one["topic"] for one in listed if topic[6:] in one["topic"].lower()} == {topic}


def test_MQ28_levels_below_it_are_stored_too(person: Api, device: MqttDevice, topic: str) -> None:
    device.publish(f"{topic}/b/c", b"deep")
    eventually(lambda: payloads(person, topic) == ["deep"])
    assert stored(person, topic)[0]["topic"] == f"{topic}/b/c"


def test_the_newest_come_first_with_ascending_ids(person: Api, device: MqttDevice, topic: str) -> None:
    for number in range(5):
        device.publish(topic, str(number).encode())
    eventually(lambda: payloads(person, topic) == ["4", "3", "2", "1", "0"])
    messages = stored(person, topic)
    ids = [one["id"] for one in messages]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 5
    times = [instant(one["timestamp"]) for one in messages]
    assert times == sorted(times, reverse=True)


def test_the_same_state_told_twice_is_stored_twice(person: Api, device: MqttDevice, topic: str) -> None:
    device.publish(topic, b"on")
    device.publish(topic, b"on")
    eventually(lambda: payloads(person, topic) == ["on", "on"])


def test_an_empty_payload_is_stored(person: Api, device: MqttDevice, topic: str) -> None:
    device.publish(topic, b"")
    eventually(lambda: payloads(person, topic) == [""])


def test_MQ29_MQ30_a_page_holds_a_hundred(person: Api, device: MqttDevice, topic: str) -> None:
    for number in range(101):
        device.publish(topic, f"{topic} {number}".encode())
    eventually(lambda: f"{topic} 100" in payloads(person, topic))
    first = person.ok("/messages")["messages"]
    assert len(first) == 100
    second = person.ok("/messages", params={"page": "1"})["messages"]
    assert second
    assert max(one["id"] for one in second) < min(one["id"] for one in first) or {one["id"] for one in second} & {
        one["id"] for one in first
    }  # others may publish in between, which moves everything
    assert person.ok("/messages", params={"page": "999999"}) == {"messages": []}


@pytest.mark.parametrize("page", ["-1", "abc", "1.5", ""])
def test_a_page_is_a_whole_number(person: Api, page: str) -> None:
    is_error(person.get("/messages", params={"page": page}), 400, "invalid page")


def test_only_the_topic_may_be_included(person: Api) -> None:
    is_error(person.get("/messages", params={"include": "raw"}), 400, "invalid include")


def test_messages_need_a_token(anybody: Api) -> None:
    is_error(anybody.get("/messages"), 401, "no claims")


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("an ä 🚀".encode(), "an ä 🚀"),
        (b"a\0b", "a\ufffdb"),
        (b'{"a": 1}', '{"a": 1}'),
        (b"x" * 65_536, "x" * 65_536),
    ],
    ids=["no UTF-8", "UTF-8", "NUL", "JSON", "64 KiB"],
)
def test_MQ32_whatever_the_bytes_the_list_is_valid_JSON(
    person: Api, device: MqttDevice, topic: str, payload: bytes, shown: str
) -> None:
    device.publish(topic, payload)
    eventually(lambda: payloads(person, topic) == [shown])


def test_more_than_64_KiB_is_dropped_and_counted(product: Product, person: Api, device: MqttDevice, topic: str) -> None:
    before = rejected(product)
    device.publish(topic, b"x" * 65_537)
    device.publish(topic, b"next")
    eventually(lambda: payloads(person, topic) == ["next"])
    eventually(lambda: rejected(product) > before)


def rejected(product: Product) -> float:
    lines = httpx.get(f"{product.api}/metrics", timeout=10).text.splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith("tidemark_mqtt_rejected_total") and 'reason="malformed"' in line
    )


# Restarts, and switched off


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("messages")


@pytest.fixture
def own(directory: Path) -> Iterator[Product]:
    with Product(directory) as running:
        yield running


def test_MQ31_a_kept_message_is_not_stored_again_after_a_restart(own: Product) -> None:
    with httpx.Client(base_url=own.api, timeout=20) as client:
        account = Api(client).register()
    with MqttDevice(own.urls["mqtt"]) as device, client_of(own, account.headers) as api:
        device.publish("state:x", b"kept", retain=True)
        device.publish(f"{TOPIC}/discovery", device.announcement())
        eventually(lambda: payloads(api, "state:x") == ["kept"])
        before = stored(api, "state:x")
    own.stop()
    own.start()
    with MqttDevice(own.urls["mqtt"]) as device, client_of(own, account.headers) as api:
        device.publish("state:y", b"after")
        eventually(lambda: payloads(api, "state:y") == ["after"])
        assert stored(api, "state:x") == before


@contextmanager
def client_of(product: Product, headers: dict[str, str]) -> Iterator[Api]:
    """The API of a product with an account's token."""
    with httpx.Client(base_url=product.api, timeout=20, headers=headers) as client:
        yield Api(client)


def test_switched_off_nothing_is_stored_and_everything_else_works(directory: Path) -> None:
    # The same directory: the broker still holds the session that had subscribed to everything.
    with Product(directory, environment={"TIDEMARK_MQTT_STATE": "no"}) as product:
        with httpx.Client(base_url=product.api, timeout=20) as client:
            account = Api(client).register()
        with MqttDevice(product.urls["mqtt"]) as device, client_of(product, account.headers) as api:
            device.publish("state:z", b"no")
            device.announce()
            api.sees_device(device)
            assert payloads(api, "state:z") == []
            lines = httpx.get(f"{product.api}/metrics", timeout=10).text
            assert 'tidemark_mqtt_received_total{kind="state"' not in lines
