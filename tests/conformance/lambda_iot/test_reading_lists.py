"""Lists of readings beyond the document: ranges, cursors, the newest, sums over stretches of time, CSV."""

import csv
import io
import json
from typing import Any

import pytest

from tests.conformance.lambda_iot.client import U0, Api, instant, is_error
from tests.conformance.lambda_iot.test_readings import stored
from tests.fleet import MqttDevice

LIST = "/sensor-readings"
DAY = "2026-01-14T"


def measure(person: Api, known: MqttDevice, *minutes: int) -> list[int]:
    """A reading at each of these minutes after ten, whose value is the minute; in one request. Their ids."""
    lines = [
        {
            "sensor_id": str(known.sensor()),
            "value": minute,
            "value_at": f"{DAY}{10 + minute // 60}:{minute % 60:02}:00Z",
        }
        for minute in minutes
    ]
    answer = person.post(f"{LIST}/batch", lines)
    assert answer.status_code == 200, answer.text
    return [result["id"] for result in answer.json()["results"]]


def values(person: Api, known: MqttDevice, **query: Any) -> list[float]:
    return [one["value"] for one in person.readings_of(known.sensor(), **query)]


def test_a_range_begins_with_from_and_ends_before_to(person: Api, known: MqttDevice) -> None:
    measure(person, known, 0, 1, 2, 3)
    assert values(person, known, **{"from": f"{DAY}10:01:00Z", "to": f"{DAY}10:03:00Z"}) == [2, 1]
    assert values(person, known, **{"from": f"{DAY}11:02:00+01:00"}) == [3, 2]
    assert values(person, known, to=f"{DAY}10:01:00Z") == [0]
    assert values(person, known, **{"from": f"{DAY}10:03:00Z", "to": f"{DAY}10:01:00Z"}) == []


def test_a_range_holds_without_a_sensor_too(person: Api, known: MqttDevice) -> None:
    lines = [{"sensor_id": str(known.sensor()), "value": n, "value_at": f"1801-01-01T00:0{n}:00Z"} for n in range(4)]
    person.post(f"{LIST}/batch", lines)
    query = {"from": "1801-01-01T00:01:00Z", "to": "1801-01-01T00:03:00Z", "limit": "1000"}
    assert {one["value"] for one in person.ok(LIST, params=query)} == {1, 2}


def test_the_order_can_be_turned_round(person: Api, known: MqttDevice) -> None:
    ids = measure(person, known, 0, 2, 2, 1)
    for order, expected in (("asc", [0, 3, 1, 2]), ("desc", [2, 1, 3, 0])):
        listed = person.readings_of(known.sensor(), order=order)
        assert [one["id"] for one in listed] == [ids[number] for number in expected]
    assert values(person, known, order="asc", limit=2, page=1) == [2, 2]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 3, 10])
def test_cursors_lead_through_the_whole_list(person: Api, known: MqttDevice, order: str, limit: int) -> None:
    measure(person, known, *range(5), *range(5))
    query: dict[str, Any] = {"sensor_id": str(known.sensor()), "order": order, "limit": limit}
    whole = person.ok(LIST, params={**query, "limit": 100})
    seen: list[Any] = []
    while True:
        answer = person.get(LIST, params=query)
        assert answer.status_code == 200
        seen += answer.json()
        cursor = answer.headers.get("Tidemark-Next-Cursor")
        if cursor is None:
            break
        query["cursor"] = cursor
    assert seen == whole


def test_a_cursor_is_not_disturbed_by_what_comes_in(person: Api, known: MqttDevice) -> None:
    measure(person, known, 1, 2, 3)
    cursor = person.get(LIST, params={"sensor_id": str(known.sensor()), "limit": 2}).headers["Tidemark-Next-Cursor"]
    measure(person, known, 9)
    assert values(person, known, cursor=cursor) == [1]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_a_cursor_can_stand_at_any_time(person: Api, known: MqttDevice, time: str) -> None:
    for value in (1, 2):
        stored(person, known, value=value, value_at=time)
    cursor = person.get(LIST, params={"sensor_id": str(known.sensor()), "limit": 1}).headers["Tidemark-Next-Cursor"]
    assert values(person, known, cursor=cursor) == [1]


BAD = {
    "from=bad": "invalid from",
    "from=": "invalid from",
    "from=2026-01-14": "invalid from",
    "from=2026-01-14T10:00:00": "invalid from",
    "to=5": "invalid to",
    "order=up": "invalid order",
    "order=": "invalid order",
    "order=DESC": "invalid order",
    "cursor=": "invalid cursor",
    "cursor=abc": "invalid cursor",
    "cursor=!!!!!!!!!!!!!!!!!!!!!!": "invalid cursor",
    "cursor=f____________________w": "invalid cursor",
    "cursor=AAAAAAAAAAAAAAAAAAAAAA&page=0": "invalid cursor",
    "latest=yes": "invalid latest",
    "latest=": "invalid latest",
    "latest=true&page=1": "latest cannot be combined with page",
    "latest=true&cursor=AAAAAAAAAAAAAAAAAAAAAA": "latest cannot be combined with cursor",
    "latest=true&from=2026-01-14T10:00:00Z": "latest cannot be combined with from",
    "latest=true&to=2026-01-14T10:00:00Z": "latest cannot be combined with to",
    "latest=true&bucket=5m": "latest cannot be combined with bucket",
    "latest=true&agg=avg": "latest cannot be combined with agg",
    "latest=true&limit=0": "invalid limit",
    "latest=true&order=x": "invalid order",
    "latest=true&sensor_id=abc": "invalid sensor ID",
    "bucket=5m": "sensor_id is required",
    f"bucket=0m&sensor_id={U0}": "invalid bucket",
    f"bucket=-5m&sensor_id={U0}": "invalid bucket",
    f"bucket=5&sensor_id={U0}": "invalid bucket",
    f"bucket=m&sensor_id={U0}": "invalid bucket",
    f"bucket=&sensor_id={U0}": "invalid bucket",
    f"bucket=1.5h&sensor_id={U0}": "invalid bucket",
    f"bucket=5w&sensor_id={U0}": "invalid bucket",
    f"bucket=05m&sensor_id={U0}": "invalid bucket",
    f"bucket=99999d&sensor_id={U0}": "invalid bucket",
    f"bucket=999999999999m&sensor_id={U0}": "invalid bucket",
    f"bucket=5m&agg=&sensor_id={U0}": "invalid agg",
    f"bucket=5m&agg=sum&sensor_id={U0}": "invalid agg",
    f"bucket=5m&agg=avg,avg&sensor_id={U0}": "invalid agg",
    f"bucket=5m&agg=avg,&sensor_id={U0}": "invalid agg",
    f"bucket=5m&page=0&sensor_id={U0}": "bucket cannot be combined with page",
    f"bucket=5m&cursor=AAAAAAAAAAAAAAAAAAAAAA&sensor_id={U0}": "bucket cannot be combined with cursor",
    f"agg=avg&sensor_id={U0}": "bucket is required",
}


@pytest.mark.parametrize("query", BAD)
def test_what_cannot_be_asked_is_refused(person: Api, query: str) -> None:
    is_error(person.get(f"{LIST}?{query}"), 400, BAD[query])


def test_the_newest_of_each_sensor(person: Api, known: MqttDevice) -> None:
    known.announce(known.announcement(sensors=3))
    person.sees_parts(known, {known.sensor(n) for n in range(3)})
    measure(person, known, 5, 7, 6)
    stored(person, known, sensor_id=str(known.sensor(1)), value=1)
    newest = person.ok(LIST, params={"latest": "true"})
    of_ours = {
        one["sensor_id"]: one["value"] for one in newest if one["sensor_id"] in map(str, map(known.sensor, range(3)))
    }
    assert of_ours == {str(known.sensor(0)): 7, str(known.sensor(1)): 1}
    assert len({one["sensor_id"] for one in newest}) == len(newest)
    assert newest == sorted(newest, key=lambda one: (instant(one["value_at"]), one["id"]), reverse=True)
    assert person.ok(LIST, params={"latest": "true", "order": "asc"})[-1]["value_at"] >= newest[0]["value_at"]
    assert values(person, known, latest="true") == [7]
    assert values(person, known, latest="false") == [7, 6, 5]
    assert len(person.ok(LIST, params={"latest": "true", "limit": 1})) == 1
    assert person.ok(LIST, params={"latest": "true", "sensor_id": U0}) == []


def test_readings_are_summed_up_by_stretches_of_time(person: Api, known: MqttDevice) -> None:
    measure(person, known, 0, 1, 4, 5, 14)
    sensor = str(known.sensor())
    query = {"sensor_id": sensor, "bucket": "5m", "agg": "avg,min,max,count"}
    summed = person.ok(LIST, params=query)
    assert [list(one) for one in summed] == [["sensor_id", "bucket", "avg", "min", "max", "count"]] * 3
    assert [tuple(one.values()) for one in summed] == [
        (sensor, f"{DAY}10:00:00Z", 5 / 3, 0, 4, 3),
        (sensor, f"{DAY}10:05:00Z", 5, 5, 5, 1),
        (sensor, f"{DAY}10:10:00Z", 14, 14, 14, 1),
    ]
    assert type(summed[0]["count"]) is int
    assert person.ok(LIST, params={**query, "order": "desc"}) == summed[::-1]
    assert person.ok(LIST, params={**query, "limit": 2}) == summed[:2]
    within = {"from": f"{DAY}10:01:00Z", "to": f"{DAY}10:05:00Z"}
    assert [one["count"] for one in person.ok(LIST, params={**query, **within})] == [2]


@pytest.mark.parametrize(
    ("bucket", "starts"),
    [
        ("30s", ["10:00:00", "10:01:00", "10:59:00"]),
        ("7m", ["10:00:00", "10:56:00"]),
        ("1h", ["10:00:00"]),
        ("1d", ["00:00:00"]),
    ],
)
def test_stretches_are_counted_from_1970(person: Api, known: MqttDevice, bucket: str, starts: list[str]) -> None:
    measure(person, known, 0, 1, 59)
    summed = person.ok(LIST, params={"sensor_id": str(known.sensor()), "bucket": bucket})
    assert [one["bucket"] for one in summed] == [f"{DAY}{start}Z" for start in starts]
    assert [list(one) for one in summed] == [["sensor_id", "bucket", "avg"]] * len(starts)


def test_the_widest_stretch_of_the_first_instant_can_be_told(person: Api, known: MqttDevice) -> None:
    stored(person, known, value=1, value_at="0001-01-01T00:00:00Z")
    (one,) = person.ok(LIST, params={"sensor_id": str(known.sensor()), "bucket": "36600d"})
    assert one["bucket"] == "0001-01-01T00:00:00Z"


def test_an_unknown_sensor_has_nothing_to_sum_up(person: Api) -> None:
    assert person.ok(LIST, params={"sensor_id": U0, "bucket": "1h", "agg": "count"}) == []


def asked_as_csv(person: Api, accept: str = "text/csv", **query: Any) -> list[list[str]]:
    answer = person.client.get(LIST, params=query, headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.endswith("\r\n")
    return list(csv.reader(io.StringIO(answer.text, newline="")))


def test_lists_come_as_csv_when_asked_for(person: Api, known: MqttDevice) -> None:
    measure(person, known, 0, 1)
    sensor = str(known.sensor())
    for query in ({"limit": "1"}, {"latest": "true"}, {"bucket": "1m", "agg": "count,avg"}):
        shown = person.ok(LIST, params={"sensor_id": sensor, **query})
        header, *lines = asked_as_csv(person, sensor_id=sensor, **query)
        assert header == list(shown[0])
        assert lines == [[one if isinstance(one, str) else json.dumps(one) for one in row.values()] for row in shown]
    assert asked_as_csv(person, sensor_id=U0) == [["id", "sensor_id", "value", "value_at"]]


@pytest.mark.parametrize(
    "accept", ["text/csv, */*", "text/csv, application/json;q=0.9", "application/json;q=0.1, text/*"]
)
def test_csv_is_chosen_when_it_is_preferred(person: Api, accept: str) -> None:
    asked_as_csv(person, accept, sensor_id=U0)


@pytest.mark.parametrize(
    "accept", ["", "*/*", "application/json", "text/csv;q=0.5, application/json", "text/csv;q=0", "x"]
)
def test_json_is_chosen_otherwise(person: Api, accept: str) -> None:
    assert person.ok(LIST, params={"sensor_id": U0}, headers={"Accept": accept}) == []


def test_what_is_wrong_is_told_in_json_all_the_same(person: Api) -> None:
    is_error(person.get(LIST, params={"limit": 0}, headers={"Accept": "text/csv"}), 400, "invalid limit")
