"""Who may do what: open on one's own machine, tokens elsewhere, and a scope for the log."""

from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest

from domain.streams.placement import partition_of
from tests.conformance.lambda_iot.client import Api
from tests.conformance.streams.client import Streams, fresh
from tests.product import Product

pytestmark = pytest.mark.xdist_group("access to streams")


def bearer(product: Product, *arguments: str) -> dict[str, str]:
    token = product.run("token", "--subject", fresh("service"), *arguments).split()[-1]
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def auditor(product: Product) -> Streams:
    return Streams(product, bearer(product, "--scope", "audit.read"))


@pytest.fixture(scope="module")
def person(product: Product) -> Streams:
    return Streams(product, bearer(product))


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """As under `serve`: tokens are asked for; and nobody is waited for long."""
    environment = {"TIDEMARK_STREAMS_AUTH": "token", "TIDEMARK_CONSUMER_READ_TIMEOUT_MS": "60000"}
    with Product(tmp_path_factory.mktemp("closed"), environment=environment) as running:
        yield running


def test_without_a_token_nothing_is_produced_or_read(closed: Product) -> None:
    stranger = Streams(closed)
    requests = [
        stranger.produce("t", "1"),
        stranger.register("c", "t"),
        stranger.poll("c"),
        stranger.commit("c"),
        stranger.goodbye("c"),
        stranger.discovery.get("/v1/brokers"),
        stranger.consumer.get("/v1/topics"),
        stranger.consumer.get("/v1/groups/g"),
        stranger.consumer.get("/v1/topic/t/tail"),
    ]
    assert {answer.status_code for answer in requests} == {401}
    assert {answer.headers["www-authenticate"] for answer in requests} == {"Bearer"}
    for listener in (stranger.discovery, stranger.producer, stranger.consumer):
        assert listener.get("/status").status_code == 200
    wrong = Streams(closed, {"Authorization": "Bearer nonsense"})
    assert wrong.produce("t", "1").status_code == 401


def test_a_token_opens_the_door_and_a_consumer_is_there_for_its_owner_only(closed: Product) -> None:
    one, other = Streams(closed, bearer(closed)), Streams(closed, bearer(closed))
    topic, id = fresh("t"), fresh("c")
    one.joined(id, fresh("group"), topic)
    other.put(topic, 1, "k")
    assert other.poll(id).status_code == other.commit(id).status_code == other.goodbye(id).status_code == 409
    assert other.register(id, topic).status_code == 400
    assert one.values(id) == [1]


@pytest.mark.parametrize("context", ["identity", "devices", "connectors", "metrics", "streams"])
def test_the_log_needs_its_scope_wherever_the_door_stands(
    streams: Streams, person: Streams, auditor: Streams, context: str
) -> None:
    name = f"$events.{context}"
    for client, status in ((streams, 401), (person, 403), (auditor, 200)):
        assert client.register(fresh("c"), name, group=fresh("g")).status_code == status
        assert client.consumer.get(f"/v1/topics/{name}").status_code == status
    for client, status in ((streams, 401), (person, 403)):
        assert client.consumer.get(f"/v1/topic/{name}/tail").status_code == status


def test_who_joined_before_the_group_read_the_log_reads_no_more(
    streams: Streams, person: Streams, auditor: Streams, topic: str, group: str
) -> None:
    mine, nobodys = fresh("c"), fresh("c")
    person.joined(mine, group, topic)
    streams.joined(nobodys, group, topic)
    assert person.poll(mine).status_code == streams.poll(nobodys).status_code == 204
    auditor.joined(fresh("c"), group, "$events.devices")
    assert (person.poll(mine).status_code, streams.poll(nobodys).status_code) == (403, 401)
    assert person.consumer.get(f"/v1/groups/{group}").status_code == 403
    assert auditor.consumer.get(f"/v1/groups/{group}").status_code == 200


def test_the_log_is_a_topic(product: Product, auditor: Streams, group: str) -> None:
    id = fresh("c")
    auditor.joined(id, group, "$events.devices", latest=True)
    with httpx.Client(base_url=product.api, timeout=20, trust_env=False) as client:
        person = Api(client)
        device = {"name": "boiler", "description": "d", "location": "cellar", "status_id": 1}
        answer = person.post("/devices", device, headers=person.register().headers)
        assert answer.status_code == 201, answer.text
    items = auditor.drain(id)
    events = [event for item in items for event in item.values]
    assert "devices.device.registered.v1" in [event["topic"] for event in events]
    assert [item.start + at for item in items for at in range(len(item.values))] == [
        event["position"] for event in events
    ]
    for event in events:
        assert event["topic"].startswith("devices.")
        assert UUID(event["id"])
        assert event["data"] is not None
    positions = [event["position"] for event in events]
    later = [event["position"] for item in auditor.drain(id) for event in item.values]  # others are at work too
    assert positions == sorted(set(positions))
    assert not later or later[0] > positions[-1]


def test_what_a_group_does_is_no_news_to_itself(auditor: Streams, topic: str, group: str) -> None:
    id = fresh("c")
    auditor.joined(id, group, "$events.streams", latest=True)
    auditor.put(topic, {"secret": 1}, "k")
    events = [event for item in auditor.drain(id) for event in item.values]
    produced = [event for event in events if event["data"].get("name") == topic]
    data = {"name": topic, "partition": partition_of("k"), "entry": 1, "offset": 0, "count": 1}
    assert [(event["topic"], event["data"]) for event in produced] == [("streams.partition.produced.v1", data)]
    of_groups = [event for event in events if event["topic"].startswith("streams.group.")]
    assert not [event for event in of_groups if event["data"]["group"] == group]


def test_a_secret_of_the_log_stays_there(product: Product, auditor: Streams, group: str) -> None:
    id = fresh("c")
    auditor.joined(id, group, "$events.identity")
    events = [event for item in auditor.drain(id) for event in item.values]
    assert events
    assert not [event for event in events if "password_hash" in event["data"]]
