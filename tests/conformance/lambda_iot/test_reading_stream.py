"""Readings as they come in, over SSE."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import pytest

from tests.conformance.lambda_iot.client import U0, Api, is_error
from tests.conformance.lambda_iot.test_readings import stored
from tests.fleet import MqttDevice, reading
from tests.product import Product

STREAM = "/sensor-readings/stream"


class Sent(NamedTuple):
    """One block of the stream: its fields, with a comment under the empty name."""

    fields: dict[str, str]

    @property
    def reading(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.fields["data"])
        return found


class Following:
    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._blocks = self._read()
        self.opening = next(self._blocks)

    def readings(self, count: int) -> list[Sent]:
        """The next so many readings; comments are passed over."""
        found: list[Sent] = []
        while len(found) < count:
            block = next(self._blocks)
            if "data" in block.fields:
                found.append(block)
        return found

    def rest(self) -> list[Sent]:
        return list(self._blocks)

    def _read(self) -> Iterator[Sent]:
        fields: dict[str, str] = {}
        for line in self.answer.iter_lines():
            if line:
                name, _, text = line.partition(":")
                fields[name] = text.removeprefix(" ")
            else:
                yield Sent(fields)
                fields = {}


@contextmanager
def following(api: Api, sensor: UUID | None = None, last: str | None = None, **query: str) -> Iterator[Following]:
    """A subscriber whose first block has come, so that what is recorded from now on will come."""
    asked = {**query, **({"sensor_id": str(sensor)} if sensor else {})}
    headers = {} if last is None else {"Last-Event-ID": last}
    with api.client.stream("GET", STREAM, params=asked, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        yield Following(answer)


def test_the_stream_opens_at_once_with_the_right_headers(person: Api) -> None:
    with following(person, UUID(U0)) as stream:
        headers = stream.answer.headers
        assert headers["content-type"] == "text/event-stream"
        assert headers["cache-control"] == "no-cache"
        assert headers["x-accel-buffering"] == "no"
        assert "" in stream.opening.fields
        assert stream.opening.fields["retry"] == "3000"


def test_what_comes_in_is_told_and_what_was_there_before_is_not(person: Api, known: MqttDevice) -> None:
    stored(person, known, value=1)
    with following(person, known.sensor()) as stream:
        posted = stored(person, known, value=2)
        known.report(reading(known.sensor(), 3, "2026-01-14T10:00:00Z"))
        first, second = stream.readings(2)
    assert first.reading == posted
    assert first.fields["event"] == "reading"
    assert first.fields["id"] == str(posted["id"])
    assert second.reading["value"] == 3


def test_only_the_sensor_asked_for_is_told(person: Api, known: MqttDevice, another: MqttDevice) -> None:
    with following(person, known.sensor()) as stream:
        for value in range(3):
            stored(person, another, value=-1)
            stored(person, known, value=value)
        assert [one.reading["value"] for one in stream.readings(3)] == [0, 1, 2]


def test_without_a_sensor_everything_is_told(person: Api, known: MqttDevice, another: MqttDevice) -> None:
    with following(person) as stream:
        ids = {stored(person, one)["id"] for one in (known, another)}
        while ids:
            ids -= {one.reading["id"] for one in stream.readings(1)}


def test_who_comes_back_misses_nothing_and_sees_nothing_twice(person: Api, known: MqttDevice) -> None:
    with following(person, known.sensor()) as stream:
        last = stream.opening.fields["id"]
    expected: list[int] = []
    seen: list[int] = []
    for round in range(4):
        lines = [reading(known.sensor(), round * 1000 + number) for number in range(700)]
        expected += [result["id"] for result in person.post("/sensor-readings/batch", lines).json()["results"]]
        with following(person, known.sensor(), last) as stream:
            told = stream.readings(333 if round < 3 else len(expected) - len(seen))
        seen += [int(one.fields["id"]) for one in told]
        last = told[-1].fields["id"]
    assert seen == expected


def test_the_last_id_can_stand_in_the_query(person: Api, known: MqttDevice) -> None:
    first, second = stored(person, known, value=1), stored(person, known, value=2)
    with following(person, known.sensor(), last_event_id=str(first["id"])) as stream:
        assert stream.readings(1)[0].reading == second
    with following(person, known.sensor(), last="0") as stream:
        assert [one.reading for one in stream.readings(2)] == [first, second]


def test_an_id_from_the_future_is_now(person: Api, known: MqttDevice) -> None:
    with following(person, known.sensor(), last=str(2**63 - 1)) as stream:
        posted = stored(person, known)
        assert stream.readings(1)[0].reading == posted


def test_removed_readings_are_passed_over(person: Api, known: MqttDevice) -> None:
    first, second, third = (stored(person, known, value=value) for value in range(3))
    person.request("DELETE", f"/sensor-readings/{second['id']}")
    with following(person, known.sensor(), last=str(first["id"])) as stream:
        assert stream.readings(1)[0].reading == third


@pytest.mark.parametrize("last", ["", "abc", "-1", "1.5", "9223372036854775808", "1 2"])
def test_an_id_that_is_none_is_refused(person: Api, last: str) -> None:
    is_error(person.get(STREAM, headers={"Last-Event-ID": last}), 400, "invalid Last-Event-ID")
    is_error(person.get(STREAM, params={"last_event_id": last}), 400, "invalid Last-Event-ID")


def test_the_stream_needs_a_token_and_a_proper_sensor(person: Api, anybody: Api) -> None:
    is_error(anybody.get(STREAM), 401, "no claims")
    is_error(person.get(STREAM, params={"sensor_id": "abc"}), 400, "invalid sensor ID")


def test_the_stream_ends_properly_when_the_product_stops(tmp_path: Path) -> None:
    with Product(tmp_path) as own, httpx.Client(base_url=own.api, timeout=20) as client:
        client.headers.update(Api(client).register().headers)
        with following(Api(client)) as stream:
            own.stop()
            # To its regular end: a broken connection would raise.
            assert not any("data" in block.fields for block in stream.rest())
