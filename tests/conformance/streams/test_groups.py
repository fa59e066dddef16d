"""Contract 6 and cases 9.4 and 9.6, and what there is to see of groups beyond the document."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from domain.streams.placement import partition_of
from tests.conformance.streams.client import NDJSON, Streams, fresh
from tests.product import Product
from tests.waiting import eventually

# One key for each partition.
KEYS = {partition_of(key): key for key in map(str, range(50))}


def fill(streams: Streams, topic: str, *values: Any) -> None:
    """Each value once to each partition."""
    for value in values:
        for key in KEYS.values():
            streams.put(topic, value, key)


def ranges(streams: Streams, id: str) -> set[int]:
    return {item.range for item in streams.drain(id)}


def shown(streams: Streams, group: str) -> dict[str, Any]:
    answer = streams.consumer.get(f"/v1/groups/{group}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_G1_two_members_take_turns(streams: Streams, topic: str, group: str) -> None:
    a, b = f"a-{topic}", f"b-{topic}"
    for id in (b, a):
        streams.joined(id, group, topic)
    fill(streams, topic, 1)
    assert (ranges(streams, a), ranges(streams, b)) == ({0, 2}, {1, 3})
    assert (streams.drain(a), streams.drain(b)) == ([], [])


def test_G2_a_member_too_many_has_nothing(streams: Streams, topic: str, group: str) -> None:
    ids = [f"{letter}-{topic}" for letter in "abcde"]
    for id in ids:
        streams.joined(id, group, topic)
    fill(streams, topic, 1)
    assert [ranges(streams, id) for id in ids] == [{0}, {1}, {2}, {3}, set()]
    answer = streams.poll(ids[4])
    assert (answer.status_code, answer.headers["retry-after"]) == (204, "5")
    assert answer.headers["cache-control"] == "no-store"


def test_G3_each_group_gets_everything(streams: Streams, topic: str) -> None:
    ids = [fresh("c"), fresh("c")]
    for id in ids:
        streams.joined(id, fresh("group"), topic)
    fill(streams, topic, 1, 2)
    assert [len(streams.values(id)) for id in ids] == [8, 8]


def test_G4_each_member_gets_every_topic_of_the_group(streams: Streams, group: str) -> None:
    x, y = fresh("x"), fresh("y")
    a, b = f"a-{x}", f"b-{x}"
    streams.joined(a, group, x)
    streams.joined(b, group, y)
    fill(streams, x, 1)
    fill(streams, y, 2)
    for id, mine in ((a, {0, 2}), (b, {1, 3})):
        assert {(item.topic, item.range) for item in streams.drain(id)} == {
            (topic, number) for topic in (x, y) for number in mine
        }


def test_G5_who_joins_gets_nothing_that_was_read(streams: Streams, topic: str, group: str) -> None:
    a, b = f"a-{topic}", f"b-{topic}"
    streams.joined(a, group, topic)
    fill(streams, topic, "old")
    assert len(streams.values(a)) == 4
    streams.joined(b, group, topic)
    fill(streams, topic, "new")
    assert streams.values(b) == ["new", "new"]
    assert streams.values(a) == ["new", "new"]


def test_G6_what_was_not_committed_goes_to_the_new_owner(streams: Streams, topic: str, group: str) -> None:
    old, new = f"1-{topic}", f"0-{topic}"
    streams.joined(old, group, topic)
    fill(streams, topic, "first")
    assert len(streams.values(old)) == 4
    fill(streams, topic, "second")
    assert sum(len(item.values) for item in streams.items(old)) == 4
    streams.joined(new, group, topic)
    fill(streams, topic, "third")
    assert sorted(streams.values(new)) == ["second", "second", "third", "third"]
    assert sorted(streams.values(old)) == ["third", "third"]


def test_G7_who_took_over_cannot_commit_before_it_has_read(streams: Streams, topic: str, group: str) -> None:
    old, new = f"1-{topic}", f"0-{topic}"
    streams.joined(old, group, topic)
    fill(streams, topic, 1)
    assert streams.items(old)
    streams.joined(new, group, topic)
    answer = streams.commit(new)
    assert (answer.status_code, answer.text) == (409, "Manual commit ignored: another origin reading\n")
    assert sorted(item.range for item in streams.items(new)) == [0, 2]
    assert streams.commit(new).status_code == 204


def test_G8_what_a_member_had_goes_to_the_others_when_it_leaves(streams: Streams, topic: str, group: str) -> None:
    ids = [f"{letter}-{topic}" for letter in "abcd"]
    for id in ids:
        streams.joined(id, group, topic)
    assert streams.goodbye(ids[3]).status_code == 200
    fill(streams, topic, 1)
    assert [ranges(streams, id) for id in ids[:3]] == [{0, 3}, {1}, {2}]


def test_G11_two_topics_are_two_items(streams: Streams, group: str) -> None:
    a, b, id = fresh("t"), fresh("t"), fresh("c")
    streams.joined(id, group, a, b)
    for topic in (a, b):
        streams.put(topic, topic, "k")
    assert sorted((item.topic, item.values) for item in streams.items(id)) == sorted([(a, [a]), (b, [b])])


def test_O1_the_messages_of_a_key_stay_in_order(streams: Streams, topic: str, group: str) -> None:
    for number in range(100):
        streams.put(topic, number, "567")
    id = fresh("c")
    streams.joined(id, group, topic)
    items = streams.drain(id)
    assert {item.range for item in items} == {partition_of("567")}
    assert [item.start + at for item in items for at in range(len(item.values))] == list(range(100))
    assert [value for item in items for value in item.values] == list(range(100))


def test_O2_O3_each_key_has_its_own_order_and_lines_have_theirs(streams: Streams, topic: str, group: str) -> None:
    for number in range(0, 40, 2):
        streams.put_lines(topic, [["a", number], ["a", number + 1]], "a")
        streams.put(topic, ["b", number], "b")
    id = fresh("c")
    streams.joined(id, group, topic)
    values = streams.values(id)
    assert [number for key, number in values if key == "a"] == list(range(40))
    assert [number for key, number in values if key == "b"] == list(range(0, 40, 2))


async def test_O4_what_comes_at_once_comes_once(product: Product, streams: Streams, topic: str, group: str) -> None:
    url = f"{product.urls['producer']}/v1/topic/{topic}/messages"
    async with httpx.AsyncClient(trust_env=False) as client:
        answers = await asyncio.gather(
            *(client.post(url, params={"partitionKey": "k"}, content=str(number)) for number in range(20))
        )
    assert {answer.status_code for answer in answers} == {200}
    id = fresh("c")
    streams.joined(id, group, topic)
    items = streams.drain(id)
    assert sorted(value for item in items for value in item.values) == list(range(20))
    assert [item.start + at for item in items for at in range(len(item.values))] == list(range(20))


def test_O8_a_partition_is_in_the_order_of_its_answers(streams: Streams, topic: str, group: str) -> None:
    for number in range(16):
        streams.put(topic, number, "0" if number % 2 else None)
    id = fresh("c")
    streams.joined(id, group, topic)
    of_range: dict[int, list[int]] = {}
    for item in streams.drain(id):
        of_range.setdefault(item.range, []).extend(item.values)
    assert all(values == sorted(values) for values in of_range.values())


# Beyond the document


def test_a_group_tells_who_reads_what_and_how_far(streams: Streams, topic: str, group: str) -> None:
    a, b = f"a-{topic}", f"b-{topic}"
    streams.joined(a, group, topic)
    streams.joined(b, group, topic)
    streams.put_lines(topic, [1, 2, 3], KEYS[0])
    assert [item.values for item in streams.items(a)] == [[1, 2, 3]]
    seen = shown(streams, group)
    assert (seen["name"], seen["topics"], seen["lag"]) == (group, [topic], 3)
    assert seen["members"] == [
        {"consumerId": a, "topics": [topic], "rangeIndexes": [0, 2]},
        {"consumerId": b, "topics": [topic], "rangeIndexes": [1, 3]},
    ]
    assert seen["partitions"][0] == {
        "topic": topic,
        "token": "-9223372036854775808",
        "rangeIndex": 0,
        "owner": a,
        "committedOffset": "0",
        "deliveredOffset": "3",
        "endOffset": "3",
        "lag": 3,
    }
    assert streams.commit(a).status_code == 204
    assert shown(streams, group)["lag"] == 0
    listed = streams.consumer.get("/v1/groups", params={"after": group[:-1], "limit": 1}).json()["groups"]
    assert listed == [{"name": group, "members": 2, "topics": [topic]}]
    assert streams.consumer.get("/v1/groups/nobody-reads").status_code == 404


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"to": "earliest"}, [0, 1, 2, 3, 4, 5]),
        ({"to": "latest"}, []),
        ({"offset": 1}, [1, 2, 3, 4, 5]),
        ({"offset": 4}, [4, 5]),
        ({"offset": 99}, []),
        ({"timestamp": "2020-01-01T00:00:00Z"}, [0, 1, 2, 3, 4, 5]),
        ({"timestamp": "2999-01-01T00:00:00Z"}, []),
    ],
    ids=str,
)
def test_a_group_may_be_made_to_read_on_from_elsewhere(
    streams: Streams, topic: str, group: str, where: dict[str, Any], expected: list[int]
) -> None:
    id = fresh("c")
    streams.put_lines(topic, [0, 1, 2], "k")
    streams.put_lines(topic, [3, 4], "k")
    streams.put(topic, 5, "k")
    streams.joined(id, group, topic)
    assert len(streams.values(id)) == 6
    answer = streams.consumer.post(f"/v1/groups/{group}/seek", json={"topic": topic, **where})
    assert answer.status_code == 200, answer.text
    assert answer.json()["topic"] == topic
    assert streams.values(id) == expected
    streams.put(topic, "next", "k")
    assert streams.values(id) == ["next"]


def test_a_time_leads_between_two_requests(streams: Streams, topic: str, group: str) -> None:
    id = fresh("c")
    for number in range(5):
        streams.put(topic, number, "k")
    between = datetime.now(UTC).isoformat()
    for number in range(5, 8):
        streams.put(topic, number, "k")
    streams.joined(id, group, topic)
    query = {"topic": topic, "timestamp": between, "rangeIndex": str(partition_of("k"))}
    answer = streams.consumer.post(f"/v1/groups/{group}/seek", params=query)
    assert answer.json()["partitions"] == [{"rangeIndex": partition_of("k"), "offset": "5"}]
    assert streams.values(id) == [5, 6, 7]


@pytest.mark.parametrize(
    "body",
    [
        '{"topic":"T"}',
        '{"topic":"T","to":"earliest","offset":1}',
        '{"topic":"T","to":"middle"}',
        '{"topic":"T","offset":-1}',
        '{"topic":"T","timestamp":"2026-01-01T00:00:00"}',
        '{"topic":"T","to":"latest","rangeIndex":4}',
        '{"to":"latest"}',
        "nothing",
    ],
)
def test_a_seek_that_says_nothing_clear_is_refused(streams: Streams, topic: str, group: str, body: str) -> None:
    streams.joined(fresh("c"), group, topic)
    answer = streams.consumer.post(f"/v1/groups/{group}/seek", content=body.replace('"T"', json.dumps(topic)))
    assert (answer.status_code, bool(answer.text)) == (400, True)


def test_nobody_seeks_in_what_is_not_there(streams: Streams, topic: str, group: str) -> None:
    seek = {"topic": topic, "to": "latest"}
    assert streams.consumer.post(f"/v1/groups/{group}/seek", json=seek).status_code == 404
    streams.joined(fresh("c"), group, "another")
    assert streams.consumer.post(f"/v1/groups/{group}/seek", json=seek).status_code == 404


def test_topics_tell_what_is_in_them(streams: Streams, topic: str) -> None:
    streams.produce(topic, "1\n22\n333", KEYS[1], NDJSON)
    streams.put(topic, 4, KEYS[2])
    answer = streams.consumer.get(f"/v1/topics/{topic}")
    assert answer.status_code == 200
    seen = answer.json()
    assert (seen["name"], seen["messages"], seen["bytes"]) == (topic, 4, len("[1,22,333]") + len("[4]"))
    assert seen["retention"] == {"maxAgeDays": None, "maxBytes": None, "disposal": "drop"}
    assert [(one["rangeIndex"], one["startOffset"], one["endOffset"]) for one in seen["partitions"]] == [
        (1, "0", "3"),
        (2, "0", "1"),
    ]
    assert seen["messagesPerSecond"] > 0
    page = streams.discovery.get("/v1/topics", params={"after": topic[:-1], "limit": 1}).json()
    assert [one["name"] for one in page["topics"]] == [topic]
    assert page["next"] == topic
    assert "$events.devices" in page["builtIn"]
    assert streams.consumer.get("/v1/topics/never-used").status_code == 404
    assert streams.consumer.get("/v1/topics?limit=0").status_code == 400


def test_retention_is_set_and_shown(streams: Streams, topic: str) -> None:
    streams.put(topic, 1)
    body = {"maxAgeDays": 7, "maxBytes": 10_000_000, "disposal": "archive"}
    answer = streams.consumer.put(f"/v1/topics/{topic}/retention", json=body)
    assert (answer.status_code, answer.json()) == (200, body)
    assert streams.consumer.get(f"/v1/topics/{topic}").json()["retention"] == body
    for wrong in ({"maxAgeDays": 0}, {"maxAge": 1}, {"disposal": "burn"}):
        assert streams.consumer.put(f"/v1/topics/{topic}/retention", json=wrong).status_code == 400
    assert streams.consumer.put("/v1/topics/$events.devices/retention", json=body).status_code == 400


def events(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def read_tail(streams: Streams, topic: str, count: int, **request: Any) -> tuple[list[dict[str, Any]], str]:
    """So many messages of the tail, and the id of the last."""
    lines: list[str] = []
    with streams.consumer.stream("GET", f"/v1/topic/{topic}/tail", **request) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        for line in answer.iter_lines():
            lines.append(line)
            if len(events(lines)) == count and line == "":
                break
    return events(lines), [line.removeprefix("id: ") for line in lines if line.startswith("id: ")][-1]


def test_the_tail_goes_on_where_it_was(streams: Streams, topic: str) -> None:
    fill(streams, topic, "one", "two")
    seen, last = read_tail(streams, topic, 5, params={"from": "earliest"})
    fill(streams, topic, "three")
    more, _ = read_tail(streams, topic, 7, headers={"Last-Event-ID": last})
    places = [(one["rangeIndex"], one["offset"]) for one in seen + more]
    assert sorted(places) == [(number, str(offset)) for number in range(4) for offset in range(3)]
    assert {one["value"] for one in seen + more} == {"one", "two", "three"}
    for wrong in ("x", "1,2", "1,2,3,4,5"):
        refused = streams.consumer.get(f"/v1/topic/{topic}/tail", headers={"Last-Event-ID": wrong})
        assert refused.status_code == 400


def test_a_message_over_several_lines_is_one_event(streams: Streams, topic: str) -> None:
    streams.produce(topic, '{\r\n  "a": [1,\n 2]\n}', "k")
    seen = ""
    with streams.consumer.stream("GET", f"/v1/topic/{topic}/tail?from=earliest") as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                seen += line.removeprefix("data: ") + "\n"
            if seen and not line:
                break
    assert json.loads(seen)["value"] == {"a": [1, 2]}


def test_G10_a_member_is_known_at_once_wherever_it_asks(product: Product, streams: Streams, group: str) -> None:
    topic, id = fresh("t"), fresh("c")
    streams.joined(id, group, topic)
    streams.put(topic, 1, "k")
    main = f"{product.api}/streams/v1/consumer/poll"
    assert httpx.post(main, params={"consumerId": id}, trust_env=False).json()[0]["values"] == [1]
    assert eventually(lambda: streams.values(id) == [])
