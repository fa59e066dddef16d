"""Cases 9.5: consumers that fall silent, processes that are killed, a database that does not answer."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.conformance.streams.client import Streams, fresh, send_raw
from tests.conformance.streams.test_groups import KEYS
from tests.product import Product, frozen
from tests.waiting import eventually

TIMEOUT = 1.5
MEGABYTE = 1_000_000

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("failing streams")]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """One that waits for nobody, and that a test may kill."""
    environment = {
        "TIDEMARK_CONSUMER_READ_TIMEOUT_MS": str(int(TIMEOUT * 1000)),
        "TIDEMARK_MAX_POLL_SIZE": str(64 * MEGABYTE),
    }
    with Product(tmp_path_factory.mktemp("impatient"), environment=environment) as running:
        yield running


@pytest.fixture
def streams(product: Product) -> Streams:
    return Streams(product)


def test_F1_F2_who_is_silent_for_too_long_has_to_register_again(
    product: Product, streams: Streams, topic: str, group: str
) -> None:
    id = fresh("c")
    streams.put(topic, 1, "k")
    streams.joined(id, group, topic)
    assert streams.values(id) == [1]
    time.sleep(TIMEOUT * 2)  # the case is that nothing is said for so long
    eventually(lambda: streams.consumer.get(f"/v1/groups/{group}").json()["members"] == [])
    answer = streams.poll(id)  # on the connection that was used before
    assert (answer.status_code, answer.text) == (409, "Consumer not registered")
    assert Streams(product).commit(id).status_code == 409, "nor on another"
    streams.put(topic, 2, "k")
    assert streams.register(id, topic, group=group).text == "OK"
    assert streams.values(id) == [2]


@pytest.mark.parametrize("call", ["poll", "register", "commit"])
def test_whoever_says_something_is_there(streams: Streams, topic: str, group: str, call: str) -> None:
    id = fresh("c")
    streams.joined(id, group, topic, latest=True)
    until = time.monotonic() + 2 * TIMEOUT
    while time.monotonic() < until:
        answer = {
            "poll": lambda: streams.poll(id),
            "register": lambda: streams.register(id, topic, group=group),
            "commit": lambda: streams.commit(id),
        }[call]()
        assert answer.status_code in (200, 204), answer.text
        time.sleep(TIMEOUT / 5)


def test_who_waits_for_messages_is_there(streams: Streams, topic: str, group: str) -> None:
    id = fresh("c")
    streams.joined(id, group, topic)
    assert streams.poll(id, waitMs=str(int(TIMEOUT * 2_500))).status_code == 204
    streams.put(topic, 1, "k")
    assert streams.values(id) == [1]


def test_nothing_is_kept_of_who_was_never_registered(
    product: Product, streams: Streams, topic: str, group: str
) -> None:
    stranger, known = fresh("stranger"), fresh("c")
    with psycopg.connect(product.urls["postgres"], autocommit=True) as connection:

        def seen(id: str) -> datetime | None:
            query = "SELECT seen_at FROM stream_sessions WHERE consumer_id = %s"
            row = connection.execute(query, (id.encode(),)).fetchone()
            return row[0] if row else None

        assert streams.poll(stranger).status_code == 409
        streams.joined(known, group, topic)
        first = seen(known)
        assert first is not None
        assert streams.poll(known).status_code == 204
        eventually(lambda: (seen(known) or first) > first)  # whoever was heard of is written down by now
        assert seen(stranger) is None


def test_F3_what_a_silent_member_had_goes_to_the_others(streams: Streams, topic: str, group: str) -> None:
    dead, living = f"a-{topic}", f"b-{topic}"
    streams.joined(dead, group, topic)
    key = KEYS[0]  # which stays with the first of the two
    streams.put_lines(topic, [1, 2], key)
    assert sum(len(item.values) for item in streams.items(dead)) == 2
    streams.joined(living, group, topic)
    dead_since = time.monotonic()
    found: list[int] = []

    def everything() -> bool:
        found.extend(streams.values(living))
        return found == [1, 2]

    eventually(everything, seconds=30)
    assert time.monotonic() - dead_since < 10
    assert _owners(streams, group) == {living}


def _owners(streams: Streams, group: str) -> set[str]:
    return {one["owner"] for one in streams.consumer.get(f"/v1/groups/{group}").json()["partitions"]}


def test_F7_what_was_answered_is_there_after_kill_9(product: Product, topic: str, group: str) -> None:
    streams = Streams(product)
    id = fresh("c")
    streams.joined(id, group, topic)
    for number in range(20):
        streams.put(topic, number, "k")
    assert [item.values for item in streams.items(id)] == [list(range(20))]
    assert streams.commit(id).status_code == 204
    streams.put_lines(topic, ["a", "b"], "k")
    product.kill()
    product.start()
    streams = Streams(product)
    if streams.poll(id).status_code == 409:
        streams.joined(id, group, topic)
    later = [(item.start, item.values) for item in streams.drain(id)]
    assert later in ([(20, ["a", "b"])], []), "the poll that looked whether it is registered may have brought it"
    other = fresh("c")
    streams.joined(other, fresh("group"), topic)
    assert streams.values(other) == [*range(20), "a", "b"]


@pytest.mark.parametrize(
    ("fault", "then"),
    [
        ("the client hangs up", "poll"),
        ("the client hangs up", "commit"),
        ("the client hangs up", "goodbye"),
        ("the server is killed", "poll"),
    ],
)
def test_an_answer_that_was_lost_comes_again(product: Product, topic: str, group: str, fault: str, then: str) -> None:
    """It is more than what lies between the two can hold (tcp_wmem is 4 MiB), so some of it is still in the server."""
    streams = Streams(product)
    id = fresh("c")
    streams.joined(id, group, topic)
    for _ in range(10):
        streams.put(topic, "x" * MEGABYTE, "k")
    with _reading_slowly(product.urls["consumer"], f"/v1/consumer/poll?consumerId={id}"):
        if fault == "the server is killed":
            product.kill()
    if fault == "the server is killed":
        product.start()
    streams = Streams(product)
    assert streams.register(id, topic, group=group).status_code == 200
    if then == "commit":
        assert streams.commit(id).status_code == 204
    elif then == "goodbye":
        assert streams.goodbye(id).text == "OK"
        id = fresh("c")
        streams.joined(id, group, topic)
    assert [item.start for item in streams.items(id)] == [0]
    assert streams.drain(id) == [], "what arrived does not come again"


@contextmanager
def _reading_slowly(url: str, path: str) -> Iterator[None]:
    """The answer has begun to come, and is not read to its end."""
    parts = urlsplit(url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect((parts.hostname, parts.port))
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        assert b"200 OK" in connection.recv(1_000)
        yield


def test_what_arrived_does_not_come_again_after_a_restart(product: Product, topic: str, group: str) -> None:
    streams = Streams(product)
    id = fresh("c")
    streams.joined(id, group, topic)
    streams.put(topic, 1, "k")
    assert [item.values for item in streams.items(id)] == [[1]]
    product.stop()
    product.start()
    streams = Streams(product)
    assert streams.register(id, topic, group=group).status_code == 200
    streams.put(topic, 2, "k")
    assert streams.values(id) == [2]


def test_F11_nothing_is_promised_while_the_database_does_not_answer(product: Product, topic: str, group: str) -> None:
    streams = Streams(product)
    id = fresh("c")
    streams.joined(id, group, topic)
    with frozen(product.server("postgres")):
        answer = streams.produce(topic, '"lost?"', "k")
        assert answer.status_code >= 500
        for listener in (streams.discovery, streams.producer, streams.consumer):
            status = listener.get("/status")
            assert (status.status_code, status.headers["retry-after"]) == (503, "1")
            assert status.text == "Broker is unavailable to handle producer/consumer requests"
        assert streams.discovery.get("/v1/brokers").status_code == 200
        assert streams.poll(id).status_code >= 500

    def goes_on() -> bool:
        return streams.produce(topic, '"kept"', "k").status_code == 200

    eventually(goes_on, seconds=30)
    eventually(lambda: streams.discovery.get("/status").status_code == 200, seconds=30)
    reader = fresh("c")
    streams.joined(reader, fresh("group"), topic)
    assert streams.values(reader)[-1] == "kept"


def test_a_stop_answers_those_who_wait(tmp_path: Path) -> None:
    with Product(tmp_path) as product:
        streams = Streams(product)
        streams.joined("c", "g", "t")
        answers: list[int] = []
        waiting = Thread(target=lambda: answers.append(streams.poll("c", waitMs="60000").status_code))
        waiting.start()
        time.sleep(0.5)
        product.stop()
        waiting.join(20)
    assert answers == [204]


def test_a_broken_request_harms_nobody(product: Product, streams: Streams, topic: str) -> None:
    send_raw(
        product.urls["producer"],
        f"POST /v1/topic/{topic}/messages HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1".encode(),
        half_close=True,
    )
    streams.put(topic, 1)
