"""Contract 4.9: commands and queries to devices that answer, do not, or not as expected."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import httpx
import pytest

from tests.conformance.cloud_connector.client import MOUNTS, Connector, is_refused
from tests.conformance.cloud_connector.device import Question, SocketDevice, repeat, silent

MIB = 1024 * 1024
KINDS = ("command", "query")


def test_cq01_a_command_is_answered(mount: Connector, device: SocketDevice) -> None:
    answer = mount.ask("command", device.id, {"payload": "on"})
    assert answer.status_code == 200
    assert list(answer.json()) == ["response", "errors"]
    assert answer.json()["errors"] == ""


@pytest.mark.parametrize("kind", KINDS)
def test_cq02_the_device_gets_the_whole_body_as_text(connector: Connector, device: SocketDevice, kind: str) -> None:
    answer = connector.ask(kind, device.id, b'{"payload":"on"}')
    assert answer.json()["response"] == 'R:{"payload":"on"}'
    (heard,) = device.heard
    assert set(heard) == {"id", "type", "payload", "timestamp"}
    assert UUID(heard["id"]).version == 4
    assert heard["type"] == kind
    assert heard["payload"] == '{"payload":"on"}'
    assert isinstance(heard["timestamp"], int)
    assert abs(time.time() - heard["timestamp"]) < 60


def test_a_device_may_ask_for_the_field_only(connector: Connector) -> None:
    with connector.device(headers={"Device-Payload-Mode": "field"}) as device:
        for body, payload in ((b'{"payload":"on"}', "on"), (b"on", "on"), (b'{"payload":1}', '{"payload":1}')):
            assert connector.ask("command", device.id, body).json()["response"] == f"R:{payload}"


def test_cq04_a_query_is_answered(mount: Connector, device: SocketDevice) -> None:
    answer = mount.ask("query", device.id, {"payload": "temp?"})
    assert (answer.status_code, set(answer.json())) == (200, {"response", "errors"})


def test_cq05_a_command_to_nobody(mount: Connector) -> None:
    is_refused(mount.ask("command", "ghost", {"payload": "x"}), 404, "Device not found")


def test_cq06_a_query_to_nobody(mount: Connector) -> None:
    is_refused(mount.ask("query", "ghost", {"payload": "x"}), 404, "Device not found")


class Unanswered:
    """Commands and queries over all mounts to a device that never answers, all at once: what came, after how long."""

    def __init__(self, mounts: dict[str, Connector]) -> None:
        with mounts["9090"].device(answer=silent) as device, ThreadPoolExecutor(6) as pool:
            self._asked = {
                (kind, name): pool.submit(self._ask, mounts[name], kind, device.id) for kind in KINDS for name in MOUNTS
            }

    @staticmethod
    def _ask(mount: Connector, kind: str, device: str) -> tuple[httpx.Response, float]:
        started = time.monotonic()
        return mount.ask(kind, device, {"payload": "x"}), time.monotonic() - started

    def outcome(self, kind: str, name: str) -> tuple[httpx.Response, float]:
        return self._asked[kind, name].result()


@pytest.fixture(scope="module")
def unanswered(all_mounts: dict[str, Connector]) -> Unanswered:
    return Unanswered(all_mounts)


@pytest.mark.parametrize("name", MOUNTS)
def test_cq07_a_command_times_out_after_eight_seconds(unanswered: Unanswered, name: str) -> None:
    answer, seconds = unanswered.outcome("command", name)
    is_refused(answer, 408, "Device command timeout")
    assert 7.5 <= seconds <= 8.5


@pytest.mark.parametrize("name", MOUNTS)
def test_cq08_a_query_times_out_after_eight_seconds(unanswered: Unanswered, name: str) -> None:
    answer, seconds = unanswered.outcome("query", name)
    is_refused(answer, 408, "Device query timeout")
    assert 7.5 <= seconds <= 8.5


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        (b"", ""),
        (b"{}", "{}"),
        (b"hello", "hello"),
        (b"[1,", "[1,"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\x00", "\x00"),
        ("é漢🛰".encode(), "é漢🛰"),
        (b'"\\ud800"', '"\\ud800"'),
    ],
    ids=["empty", "object", "text", "broken", "no UTF-8", "zero", "UTF-8", "surrogate"],
)
def test_cq10_cq11_no_body_is_refused(connector: Connector, device: SocketDevice, body: bytes, payload: str) -> None:
    for type in ("application/json", "application/x-www-form-urlencoded", "text/plain", "multipart/form-data"):
        answer = connector.ask("command", device.id, body, headers={"Content-Type": type})
        assert (answer.status_code, answer.json()) == (200, {"response": f"R:{payload}", "errors": ""})
    assert {heard["payload"] for heard in device.heard} == {payload}


def test_what_holds_a_zero_is_recorded_like_everything_else(connector: Connector, device: SocketDevice) -> None:
    """A text of PostgreSQL cannot hold it; nothing may stop there."""
    assert connector.ask("command", device.id, b"a\x00b").status_code == 200
    with connector.device() as later:
        assert later.id in connector.ids()


def test_a_body_of_one_mebibyte_is_taken_and_a_larger_one_is_not(connector: Connector, device: SocketDevice) -> None:
    device.answer = lambda question: json.dumps({"id": question["id"], "payload": str(len(question["payload"]))})
    assert connector.ask("command", device.id, b"x" * MIB).json()["response"] == str(MIB)
    is_refused(connector.ask("command", device.id, b"x" * (MIB + 1)), 413, "request body too large")

    def chunks() -> Iterator[bytes]:
        for _ in range(32):
            yield b"x" * 65536

    answer = connector.request("POST", f"/devices/query/{device.id}", content=chunks())
    is_refused(answer, 413, "request body too large")
    assert len(device.heard) == 1


def test_cq17_an_answer_of_any_json_is_told_as_text(connector: Connector, device: SocketDevice) -> None:
    payloads = {'{"a": 1}': '{"a":1}', "[1, 2]": "[1,2]", "5": "5", "true": "true", "null": "", '"x"': "x"}
    for payload, told in payloads.items():
        device.answer = lambda question, payload=payload: f'{{"id": "{question["id"]}", "payload": {payload}}}'
        response = connector.ask("command", device.id, "x").json()["response"]
        assert response.replace(" ", "") == told


def test_an_answer_without_a_payload_is_an_empty_one(connector: Connector, device: SocketDevice) -> None:
    device.answer = lambda question: json.dumps({"id": question["id"], "time": 1})
    assert connector.ask("command", device.id, "x").json() == {"response": "", "errors": ""}


def test_cq19_no_device_answers_for_another(connector: Connector) -> None:
    with connector.device(answer=silent) as one, connector.device() as other, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(connector.ask, "command", one.id, "x")
        (question,) = one.hears(1)
        other.say(json.dumps({"id": question["id"], "payload": "forged"}))
        # When this is answered the forged answer has been heard.
        assert connector.ask("query", other.id, "y").status_code == 200
        one.say(json.dumps({"id": question["id"], "payload": "true"}))
        assert asked.result().json()["response"] == "true"


def test_answers_come_in_any_order(connector: Connector) -> None:
    with connector.device(answer=silent) as device, ThreadPoolExecutor(10) as pool:
        asked = {number: pool.submit(connector.ask, "query", device.id, str(number)) for number in range(10)}
        for question in reversed(device.hears(10)):
            device.say(repeat(question))
        for number, one in asked.items():
            assert one.result().json()["response"] == f"R:{number}"


def test_noise_is_no_answer(connector: Connector) -> None:
    def noisy(question: Question) -> str:
        for noise in ("", "plain", "[]", "5", "null", '{"id": 5}', '{"id": ""}', "{}", f'{{"id": "{uuid4()}"}}'):
            device.say(noise)
        return repeat(question)

    with connector.device() as device:
        device.answer = noisy
        assert connector.ask("command", device.id, "on").json()["response"] == "R:on"
        assert connector.show(device.id)["received_messages"] == 10


def test_cq23_errors_say_the_same_twice(connector: Connector) -> None:
    body = connector.ask("command", "ghost", "x").json()
    assert body["error"] == body["errors"] == "Device not found"
