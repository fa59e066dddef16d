"""Contract 3 and cases 9.2."""

import json

import pytest

from domain.streams.placement import partition_of
from tests.conformance.streams.client import NDJSON, Streams, fresh, send_raw
from tests.product import Product

LARGEST = 1_048_576
LENGTH = (
    f"Content length must be defined (HTTP/1.1 chunked not supported), greater than 0 and less than {LARGEST} bytes"
)


def stored(streams: Streams, topic: str) -> list[bytes]:
    """Every message of the topic, byte for byte, from a group of its own."""
    id = fresh("reader")
    streams.joined(id, fresh("group"), topic)
    found = []
    while (answer := streams.poll(id)).status_code == 200:
        for item in answer.content.split(b'{"topic":')[1:]:
            values = item[item.index(b'"values":[') + len(b'"values":[') :]
            found.append(values[: values.rindex(b"]}")])
    streams.goodbye(id)
    return found


def test_P1_a_message_is_taken_and_comes_back_as_it_was(streams: Streams, topic: str) -> None:
    answer = streams.produce(topic, '{"productId": 123, "units": -5}', "123")
    assert (answer.status_code, answer.text) == (200, "OK")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-length"] == "2"
    assert stored(streams, topic) == [b'{"productId": 123, "units": -5}']


@pytest.mark.parametrize("type", [None, "text/plain", "application/x-www-form-urlencoded", "application/json; a=b"])
def test_P2_whatever_type_it_is_said_to_be_it_is_one_message(streams: Streams, topic: str, type: str | None) -> None:
    assert streams.produce(topic, '{"a":\t1 }', "k", type).status_code == 200
    assert stored(streams, topic) == [b'{"a":\t1 }']


def test_P3_each_line_is_a_message_of_the_same_partition_in_order(streams: Streams, topic: str) -> None:
    body = b'{"a":1}\n\n{"a": 2}\r\n"three"\n\r\n4'
    assert streams.produce(topic, body, type=NDJSON).status_code == 200
    assert stored(streams, topic) == [b'{"a":1},{"a": 2},"three",4']


@pytest.mark.parametrize("type", ["application/x-ndjson; charset=utf-8", "Application/X-NDJSON"])
def test_P4_parameters_do_not_change_what_lines_are(streams: Streams, topic: str, type: str) -> None:
    assert streams.produce(topic, "1\n2", "k", type).status_code == 200
    assert stored(streams, topic) == [b"1,2"]


def test_P5_a_message_over_several_lines_is_one(streams: Streams, topic: str) -> None:
    pretty = json.dumps({"a": [1, 2], "b": "ü"}, indent=2, ensure_ascii=False)
    assert streams.produce(topic, pretty.encode(), "k").status_code == 200
    assert stored(streams, topic) == [pretty.encode()]


@pytest.mark.parametrize(
    "request_head", ["", "Content-Length: 0\r\n", "Content-Length: x\r\n", "Transfer-Encoding: chunked\r\n"]
)
def test_P6_P7_no_body_is_refused(product: Product, streams: Streams, topic: str, request_head: str) -> None:
    body = "0\r\n\r\n" if "chunked" in request_head else ""
    answer = send_raw(
        product.urls["producer"],
        f"POST /v1/topic/{topic}/messages HTTP/1.1\r\nHost: h\r\n{request_head}\r\n{body}".encode(),
    )
    assert answer is not None
    assert answer.status == 400
    if "x" not in request_head:
        assert answer.body.decode() == LENGTH
    assert stored(streams, topic) == []


def test_P7_a_chunked_body_is_taken(streams: Streams, topic: str) -> None:
    answer = streams.producer.post(f"/v1/topic/{topic}/messages", content=iter([b'{"a"', b":1}"]))
    assert (answer.status_code, answer.text) == (200, "OK")
    too_much = iter([b'"' + b"x" * 600_000, b"x" * 600_000 + b'"'])
    answer = streams.producer.post(f"/v1/topic/{topic}/messages", content=too_much)
    assert (answer.status_code, answer.text) == (400, LENGTH)
    assert stored(streams, topic) == [b'{"a":1}']


def test_P8_P9_the_largest_body_is_taken_and_a_larger_one_is_not(streams: Streams, topic: str) -> None:
    largest = b'"' + b"x" * (LARGEST - 2) + b'"'
    assert streams.produce(topic, largest, "k").status_code == 200
    answer = streams.produce(topic, largest[:-1] + b'x"', "k")
    assert (answer.status_code, answer.text) == (400, LENGTH)
    assert answer.headers["connection"] == "close"
    assert stored(streams, topic) == [largest]


@pytest.mark.parametrize(
    ("body", "type"),
    [
        (b"not json at all", "application/json"),
        (b'{"a":1,}', "application/json"),
        (b"NaN", "application/json"),
        (b"1 2", "application/json"),
        (b'"\xff"', "application/json"),
        (b" ", "text/plain"),
        (b"[" * 100_000, "application/json"),
        (b"1\nnot json\n2", NDJSON),
        (b"[1,\n2]", NDJSON),
        (b"1 2\n3", NDJSON),
        (b"1\n \n2", NDJSON),
        (b"\n\r\n\n", NDJSON),
    ],
    ids=str,
)
def test_P10_what_is_no_json_is_refused_and_nothing_of_it_is_stored(
    streams: Streams, topic: str, body: bytes, type: str
) -> None:
    answer = streams.produce(topic, body, "k", type)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text
    assert stored(streams, topic) == []


@pytest.mark.parametrize("name", ["", "%2e%2e", ".", "a%00b", "a%0Ab", "x" * 256, "$events.devices", "$events.x"])
def test_P11_P14_a_topic_that_cannot_be_is_refused(product: Product, name: str) -> None:
    answer = send_raw(
        product.urls["producer"],
        f"POST /v1/topic/{name}/messages HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{{}}".encode(),
    )
    assert answer is not None
    assert (answer.status, answer.body) == (400, b"Invalid topic")


def test_P12_an_encoded_slash_is_no_part_of_a_topic(streams: Streams) -> None:
    assert streams.producer.post("/v1/topic/a%2Fb/messages", content=b"1").status_code == 404


@pytest.mark.parametrize("name", ["a b", "日本語", "~:._-x", "+"])
def test_P13_a_topic_may_be_called_almost_anything(streams: Streams, name: str) -> None:
    topic = f"{fresh('t')}{name}"
    streams.put(topic, 1)
    id = fresh("reader")
    streams.joined(id, fresh("group"), topic)
    assert [item.topic for item in streams.items(id)] == [topic]


def test_P13_the_longest_name_has_255_bytes(streams: Streams) -> None:
    assert streams.produce(fresh("t").ljust(255, "x"), "1").status_code == 200


def test_P15_nothing_is_read_where_it_is_produced(streams: Streams, topic: str) -> None:
    answer = streams.producer.get(f"/v1/topic/{topic}/messages")
    assert (answer.status_code, answer.text) == (405, "Producer server doesn't allow getting topic messages\n")
    assert "allow" not in answer.headers


def test_P19_messages_without_a_key_go_round(product: Product) -> None:
    streams = Streams(product)
    topic, id = fresh("topic"), fresh("reader")
    for number in range(8):  # others may produce at the same time
        streams.put(topic, number, "" if number % 2 else None)
    streams.joined(id, fresh("group"), topic)
    assert {item.range for item in streams.drain(id)} == {0, 1, 2, 3}


def test_P20_the_first_key_counts_and_a_malformed_one_is_none(streams: Streams, topic: str) -> None:
    url = f"/v1/topic/{topic}/messages"
    for _ in range(5):
        assert streams.producer.post(f"{url}?partitionKey=product-1&partitionKey=0", content=b'"a"').status_code == 200
        assert streams.producer.post(f"{url}?partitionKey=%ZZ", content=b'"none"').status_code == 200
        assert streams.producer.post(f"{url}?partitionKey=a+b%26c%3Dd", content=b'"c"').status_code == 200
    id = fresh("reader")
    streams.joined(id, fresh("group"), topic)
    places: dict[str, set[int]] = {}
    for item in streams.drain(id):
        for value in item.values:
            places.setdefault(value, set()).add(item.range)
    assert places["a"] == {partition_of("product-1")}
    assert places["c"] == {partition_of("a b&c=d")}
    assert len(places["none"]) > 1


@pytest.mark.parametrize("length", [8_192, 16_384])
def test_P22_a_line_that_ends_on_a_boundary_is_a_line(streams: Streams, topic: str, length: int) -> None:
    first = b'"' + b"a" * (length - 3) + b'"'
    assert streams.produce(topic, first + b'\n"b"\n"c"\n', "k", NDJSON).status_code == 200
    assert stored(streams, topic) == [first + b',"b","c"']


def test_P23_a_body_that_ends_early_is_not_stored(product: Product, streams: Streams, topic: str) -> None:
    answer = send_raw(
        product.urls["producer"],
        f'POST /v1/topic/{topic}/messages HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\n{{"a": 1234}}'.encode(),
        half_close=True,
    )
    assert answer is None or answer.status == 400
    assert stored(streams, topic) == []


def test_a_request_that_expects_to_be_told_to_go_on_is_told(product: Product, topic: str) -> None:
    head = f"POST /v1/topic/{topic}/messages HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    answer = send_raw(product.urls["producer"], head.encode())
    assert answer is not None
    assert (answer.status, answer.body) == (100, b"")


def test_a_request_with_a_key_is_stored_once(streams: Streams, topic: str) -> None:
    key = {"Idempotency-Key": fresh("request")}
    first = streams.produce(topic, "1", None, **key)
    again = streams.produce(topic, "1", None, **key)
    assert (first.status_code, first.text) == (again.status_code, again.text) == (200, "OK")
    other = streams.produce(topic, "2", None, **key)
    assert other.status_code == 422
    assert streams.produce(topic, "3", None, **{"Idempotency-Key": ""}).status_code == 400
    assert stored(streams, topic) == [b"1"]
