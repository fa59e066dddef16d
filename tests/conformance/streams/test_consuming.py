"""Contract 4 and cases 9.3."""

import json
import struct
import time
from threading import Timer

import cramjam
import httpx
import pytest

from domain.streams.placement import partition_of
from tests.conformance.streams.client import JSON, NDJSON, POLAR, Item, Streams, fresh
from tests.product import Product

BARCO = "application/vnd.barco.consumermessage"


def test_C1_C2_a_consumer_registers_once(streams: Streams, topic: str, group: str) -> None:
    id = fresh("c")
    first = streams.register(id, topic, group=group)
    assert (first.status_code, first.text) == (200, "OK")
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    again = streams.register(id, topic, group=group, onNewGroup="startFromEarliest")
    assert (again.status_code, again.text) == (200, "Already registered")
    assert again.headers["content-length"] == "18"
    posted = streams.consumer.post(
        "/v1/consumer/register", params={"consumer_id": id, "topic": topic, "group": group}, content=b"ignored"
    )
    assert posted.text == "Already registered"


@pytest.mark.parametrize(
    ("group", "topics"), [("other", ["q", "r"]), ("", ["q"]), ("", ["r", "q"]), ("", ["q", "r", "r"]), ("", ["s", "t"])]
)
def test_C3_C4_a_registered_consumer_changes_nothing(streams: Streams, group: str, topics: list[str]) -> None:
    id, own = fresh("c"), fresh("group")
    assert streams.register(id, "q", "r", group=own).text == "OK"
    answer = streams.register(id, *topics, group=group or own)
    assert (answer.status_code, answer.text) == (400, "Consumer already registered with different parameters")
    assert streams.register(id, "q", "r", group=own).text == "Already registered"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("consumerId=c", "Consumer id and topics can not be empty"),
        ("consumerId=c&topic=", "Consumer id and topics can not be empty"),
        ("consumerId=c&topic=t&onNewGroup=foo", "Invalid offset reset policy value"),
        ("topic=t", "Invalid ConsumerInfo payload"),
        ("consumerId=&topic=t", "Invalid ConsumerInfo payload"),
        ("consumerId=c&topic=..", "Invalid topic"),
        ("consumerId=c&topic=%24events.nothing", "Invalid topic"),
    ],
)
def test_C5_C6_C7_what_cannot_be_registered_is_refused(streams: Streams, query: str, text: str) -> None:
    answer = streams.consumer.put(f"/v1/consumer/register?{query}")
    assert (answer.status_code, answer.text) == (400, text)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_C8_the_group_is_called_default(streams: Streams, topic: str) -> None:
    id = fresh("c")
    assert streams.register(id, topic).text == "OK"
    assert streams.register(id, topic, group="default").text == "Already registered"
    assert streams.goodbye(id).text == "OK"


def test_C9_to_change_topics_say_goodbye_first(streams: Streams, topic: str, group: str) -> None:
    id = fresh("c")
    streams.joined(id, group, topic)
    assert streams.goodbye(id).status_code == 200
    assert streams.register(id, "other", group=group).text == "OK"


@pytest.mark.parametrize("path", ["poll", "commit", "goodbye"])
@pytest.mark.parametrize("query", ["?consumerId=nobody-ever", "", "?consumerId="])
def test_C10_who_is_not_registered_is_told(streams: Streams, path: str, query: str) -> None:
    answer = streams.consumer.post(f"/v1/consumer/{path}{query}")
    assert (answer.status_code, answer.text) == (409, "Consumer not registered")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_C11_nothing_new_is_told_at_once(streams: Streams, topic: str, group: str) -> None:
    id = fresh("c")
    streams.joined(id, group, topic)
    answers = [streams.poll(id) for _ in range(5)]
    for answer in answers:
        assert (answer.status_code, answer.content) == (204, b"")
        assert (answer.headers["cache-control"], answer.headers["retry-after"]) == ("no-store", "1")
    assert min(answer.elapsed.total_seconds() for answer in answers) < 0.05


def test_C12_an_answer_has_the_documents_form(streams: Streams, topic: str, group: str) -> None:
    id = fresh("c")
    streams.produce(topic, '{"productId": 123, "units": -1}\n{"productId": 123, "units": 20}', "123", NDJSON)
    streams.joined(id, group, topic)
    answer = streams.poll(id)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.text == (
        f'[{{"topic":"{topic}","token":"-9223372036854775808","rangeIndex":0,"version":1,"startOffset":"0",'
        '"values":[{"productId": 123, "units": -1},{"productId": 123, "units": 20}]}]'
    )


def test_C13_offsets_count_from_zero_without_a_gap(streams: Streams, topic: str, group: str) -> None:
    id = fresh("c")
    streams.joined(id, group, topic)
    seen = []
    for number in range(6):
        streams.put(topic, number, "k")
        seen += [(item.start, item.values) for item in streams.items(id)]
    assert seen == [(number, [number]) for number in range(6)]


def test_C14_C15_one_poll_brings_what_several_requests_brought(streams: Streams, topic: str, group: str) -> None:
    id = fresh("c")
    for number in range(3):
        streams.put(topic, number, "k")
    streams.put_lines(topic, [3, 4], "k")
    streams.joined(id, group, topic)
    assert [(item.start, item.values) for item in streams.items(id)] == [(0, [0, 1, 2, 3, 4])]


def binary_items(content: bytes) -> list[tuple[int, int, int, str, int, list[bytes]]]:
    """The layout of 4.3, read with nothing of ours."""
    (items,), at, found = struct.unpack_from("!H", content), 2, []
    for _ in range(items):
        token, range_index, version, length = struct.unpack_from("!qBIB", content, at)
        at += 14
        topic = content[at : at + length].decode()
        at += length
        offset, size = struct.unpack_from("!qi", content, at)
        records = bytes(cramjam.zstd.decompress(content[at + 12 : at + 12 + size]))
        at += 12 + size
        values, inner = [], 0
        while inner < len(records):
            microseconds, bytes_of_value = struct.unpack_from("!qI", records, inner)
            assert abs(microseconds / 1e6 - time.time()) < 3600
            values.append(records[inner + 12 : inner + 12 + bytes_of_value])
            inner += 12 + bytes_of_value
        found.append((token, range_index, version, topic, offset, values))
    assert at == len(content)
    return found


@pytest.mark.parametrize("type", [POLAR, BARCO])
def test_C16_the_binary_form_is_there_for_whoever_asks_for_it(
    streams: Streams, topic: str, group: str, type: str
) -> None:
    id = fresh("c")
    streams.put_lines(topic, [{"a": 1}, "b"], "123")
    streams.put(topic, [3], "123")
    streams.joined(id, group, topic)
    answer = streams.poll(id, accept=type)
    assert (answer.status_code, answer.headers["content-type"]) == (200, type)
    assert answer.headers["content-length"] == str(len(answer.content))
    assert binary_items(answer.content) == [(-(2**63), 0, 1, topic, 0, [b'{"a": 1}', b'"b"', b"[3]"])]


@pytest.mark.parametrize(
    "accept", [None, "*/*", JSON, "application/json;q=1", "application/json, text/plain, */*", "APPLICATION/JSON"]
)
def test_C17_C18_everybody_else_gets_json(streams: Streams, topic: str, group: str, accept: str | None) -> None:
    id = fresh("c")
    streams.put(topic, 1, "k")
    streams.joined(id, group, topic)
    answer = streams.poll(id, accept=accept)
    assert (answer.headers["content-type"], answer.json()[0]["values"]) == ("application/json", [1])


def test_C19_a_large_message_is_there(streams: Streams, topic: str, group: str) -> None:
    id, large = fresh("c"), "x" * 300_000
    streams.put(topic, large, "k")
    streams.put(topic, "small", "k")
    streams.joined(id, group, topic)
    assert streams.values(id) == [large, "small"]


def test_a_poll_brings_about_two_megabytes(streams: Streams, topic: str, group: str) -> None:
    id = fresh("c")
    for number in range(5):
        streams.put(topic, [number, "x" * 1_000_000], "k")
    streams.joined(id, group, topic)
    polls = []
    while items := streams.items(id):
        polls.append([value[0] for item in items for value in item.values])
    assert [number for numbers in polls for number in numbers] == [0, 1, 2, 3, 4]
    assert max(map(len, polls)) <= 3


def test_C20_a_new_group_may_begin_with_the_oldest(streams: Streams, topic: str, group: str) -> None:
    for number in range(10):
        streams.put(topic, number, str(number))
    id = fresh("c")
    streams.joined(id, group, topic)
    assert sorted(streams.values(id)) == list(range(10))


def test_C21_C23_a_new_group_begins_where_it_registered(streams: Streams, topic: str, group: str) -> None:
    for number in range(3):
        streams.put(topic, number, "k")
    id = fresh("c")
    streams.joined(id, group, topic, latest=True)
    streams.put(topic, "later", "k")
    assert streams.drain(id) == [Item(topic, partition_of("k"), 3, ["later"])]


def test_C24_a_known_group_goes_on_whatever_it_asks_for(streams: Streams, topic: str, group: str) -> None:
    streams.put(topic, 1, "k")
    first, second = fresh("c"), fresh("c")
    streams.joined(first, group, topic)
    assert streams.values(first) == [1]
    assert streams.goodbye(first).text == "OK"
    streams.put(topic, 2, "k")
    streams.joined(second, group, topic, latest=True)
    assert streams.values(second) == [2]


def test_C25_what_is_committed_is_not_delivered_again(streams: Streams, topic: str, group: str) -> None:
    first, second = "b" + fresh("c"), "a" + fresh("c")
    streams.put_lines(topic, [1, 2], "k")
    streams.joined(first, group, topic)
    assert [item.values for item in streams.items(first)] == [[1, 2]]
    answer = streams.commit(first)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (answer.headers["cache-control"], answer.headers["retry-after"]) == ("no-store", "1")
    assert streams.commit(first).status_code == 204, "also when there is nothing to commit"
    assert streams.goodbye(first, commit="false").status_code == 200
    streams.put(topic, 3, "k")
    streams.joined(second, group, topic)
    assert streams.values(second) == [3]


def test_C26_a_member_without_partitions_has_nothing_to_commit(streams: Streams, topic: str, group: str) -> None:
    for id in "abcde":
        streams.joined(f"{id}-{group}", group, topic)
    assert streams.commit(f"e-{group}").status_code in (200, 204)


def test_C27_goodbye_commits(streams: Streams, topic: str, group: str) -> None:
    first, second = fresh("c"), fresh("c")
    streams.put(topic, 1, "k")
    streams.joined(first, group, topic)
    assert [item.values for item in streams.items(first)] == [[1]]
    answer = streams.goodbye(first)
    assert (answer.status_code, answer.text) == (200, "OK")
    assert streams.poll(first).status_code == 409
    streams.joined(second, group, topic)
    assert streams.values(second) == []


def test_C28_without_a_commit_it_is_delivered_again(streams: Streams, topic: str, group: str) -> None:
    first, second = fresh("c"), fresh("c")
    streams.put(topic, 1, "k")
    streams.joined(first, group, topic)
    assert [item.values for item in streams.items(first)] == [[1]]
    assert streams.goodbye(first, commit="false").status_code == 200
    streams.joined(second, group, topic)
    assert streams.values(second) == [1]


def test_one_connection_serves_several_consumers(streams: Streams, topic: str) -> None:
    first, second = fresh("c"), fresh("c")
    streams.put(topic, 1, "k")
    for id in (first, second):
        streams.joined(id, fresh("group"), topic)
    assert [streams.values(id) for id in (first, second)] == [[1], [1]]


def test_a_poll_may_wait_for_messages(product: Product, streams: Streams, topic: str, group: str) -> None:
    id = fresh("c")
    streams.joined(id, group, topic)
    begun = time.monotonic()
    assert streams.poll(id, waitMs="300").status_code == 204
    assert 0.3 <= time.monotonic() - begun < 5
    other = Streams(product)
    Timer(0.2, lambda: other.put(topic, "there", "k")).start()
    begun = time.monotonic()
    answer = streams.poll(id, waitMs="20000")
    assert answer.json()[0]["values"] == ["there"]
    assert time.monotonic() - begun < 10
    assert streams.poll(id, waitMs="soon").status_code == 400


def test_what_somebody_who_hung_up_was_to_get_comes_next_again(streams: Streams, topic: str, group: str) -> None:
    id = fresh("c")
    streams.joined(id, group, topic)
    with pytest.raises(httpx.ReadTimeout):
        streams.consumer.post("/v1/consumer/poll", params={"consumerId": id, "waitMs": "5000"}, timeout=0.3)
    streams.put(topic, json.loads('{"a": 1}'), "k")
    assert streams.values(id) == [{"a": 1}]
