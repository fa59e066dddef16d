"""What a message says, told from its topic and payload alone (contract devices 3.2, 3.5)."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec import UNSET

from adapters.mqtt.messages import (
    Answered,
    Discovery,
    Ignored,
    Malformed,
    Presence,
    Readings,
    Sign,
    StateMessage,
    Understood,
    understand,
)
from adapters.mqtt.topics import Topics
from application.devices.state_message import ReceiveStateMessage
from domain.devices.command import Response

TOPICS = Topics("lambdaiot")
DEVICE = UUID("3814fb88-565c-5dc8-9b91-60d4002b6edc")
SENSOR = UUID("2e4abd8d-5d31-56b9-9bd9-84d9d7d57947")
AT = "2026-01-14T10:00:00Z"


def told(topic: str, payload: Any, retained: bool = False) -> Understood:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return understand(TOPICS, f"lambdaiot/{topic}".rstrip("/"), body, retained)


def reading(**changes: Any) -> dict[str, Any]:
    return {"sensor_id": str(SENSOR), "value": 21.5, **changes}


def discovery(**changes: Any) -> dict[str, Any]:
    return {"device": {"id": str(DEVICE), "name": "d"}, "sensors": [part()], **changes}


def part(**changes: Any) -> dict[str, Any]:
    return {"id": str(SENSOR), "name": "s", "type": "t", "data_type_id": 1, **changes}


# Readings


@pytest.mark.parametrize("topic", [f"{DEVICE}/readings", f"{str(DEVICE).upper()}/readings"])
def test_readings_name_their_device_in_the_topic(topic: str) -> None:
    understood = told(topic, reading(value_at=AT))
    assert isinstance(understood, Readings)
    assert understood.device_id == DEVICE
    assert [(r.sensor_id, r.value) for r in understood.readings] == [(SENSOR, 21.5)]


@pytest.mark.parametrize(("topic", "extra"), [("readings", {}), ("", {"type": "sensor_reading"})])
def test_readings_without_a_device_in_the_topic_are_taken(topic: str, extra: dict[str, Any]) -> None:
    understood = told(topic, reading(**extra))
    assert isinstance(understood, Readings)
    assert understood.device_id is None


@pytest.mark.parametrize("value", [0, -1, 1, 1e300, 18446744073709551616])
def test_every_finite_number_is_a_value(value: float) -> None:
    understood = told("readings", reading(value=value))
    assert isinstance(understood, Readings)
    assert understood.readings[0].value == value


@pytest.mark.parametrize(
    "value", [b"true", b'"1"', b"null", b"NaN", b"Infinity", b"-Infinity", b"1e400", b"[]", b"1" * 400]
)
def test_what_is_no_finite_number_is_no_value(value: bytes) -> None:
    one = b'{"sensor_id":"%s","value":%s}' % (str(SENSOR).encode(), value)
    assert isinstance(told("readings", one), Malformed)


@pytest.mark.parametrize(
    "bad",
    [
        reading(value="1"),
        reading(value=True),
        reading(sensor_id=SENSOR.hex),
        reading(value_at="2026-01-14"),
        reading(type="other"),
        {"value": 1},
        7,
        None,
        [],
    ],
)
def test_one_bad_element_does_not_spoil_the_others(bad: Any) -> None:
    understood = told("readings", [reading(), bad, reading(value_at=None)])
    assert isinstance(understood, Readings)
    assert (len(understood.readings), understood.rejected) == (2, 1)


def test_a_number_out_of_range_does_not_spoil_the_others() -> None:
    good = json.dumps(reading()).encode()
    huge = good.replace(b"21.5", b"1e400")
    understood = told("readings", b"[" + good + b"," + huge + b"]")
    assert isinstance(understood, Readings)
    assert (len(understood.readings), understood.rejected) == (1, 1)


@pytest.mark.parametrize(("count", "taken"), [(500, True), (501, False), (0, False)])
def test_an_array_holds_one_to_five_hundred_readings(count: int, taken: bool) -> None:
    assert isinstance(told("readings", [reading()] * count), Readings) is taken


def test_a_kept_reading_counts_only_with_a_time_of_its_own() -> None:
    assert isinstance(told("readings", reading(), retained=True), Ignored)
    assert isinstance(told("readings", reading(value_at=AT), retained=True), Readings)


@pytest.mark.parametrize(
    "payload", [b"{{{", b"[]", b'""', b"a" * 2**20, b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000]
)
@pytest.mark.parametrize(
    "topic", ["readings", "discovery", f"{DEVICE}/readings", f"{DEVICE}/discovery", f"{DEVICE}/status"]
)
def test_mq22_what_makes_no_sense_is_malformed(topic: str, payload: bytes) -> None:
    assert isinstance(told(topic, payload), Malformed)


# The shared topic


@pytest.mark.parametrize("type", ["ping", "sensor_trigger", "actor_command", "discovery_request", "whatever", 7])
def test_mq41_messages_of_other_types_are_ignored(type: Any) -> None:
    assert isinstance(told("", {"type": type, "sensor_id": str(SENSOR)}), Ignored)


@pytest.mark.parametrize("topic", ["server/status", f"{DEVICE}/other", "x", f"{DEVICE}/readings/deep", "a/b/c"])
def test_unknown_topics_are_ignored(topic: str) -> None:
    assert isinstance(told(topic, b"online"), Ignored)


def test_other_prefixes_are_ignored() -> None:
    assert isinstance(understand(TOPICS, "lambdaiots/discovery", b"{}", False), Ignored)


# Discovery


def test_a_discovery_says_what_the_device_consists_of() -> None:
    understood = told("discovery", discovery(actors=[]))
    assert isinstance(understood, Discovery)
    command = understood.command
    assert (command.device_id, command.name, command.description) == (DEVICE, "d", None)
    assert [s.id for s in command.sensors or ()] == [SENSOR]
    assert (command.actors, command.live) == ((), True)


def test_lists_that_are_absent_or_null_say_nothing() -> None:
    understood = told("discovery", {"device": {"id": str(DEVICE)}, "sensors": None})
    assert isinstance(understood, Discovery)
    assert (understood.command.sensors, understood.command.actors) == (None, None)


@pytest.mark.parametrize("mac", ["AA-BB-CC-DD-EE-FF", "aa:bb:cc:dd:ee:ff", "aabbccddeeff"])
@pytest.mark.parametrize("device", [{}, {"id": ""}, {"id": None}])
def test_mq20_an_absent_id_follows_from_the_mac(mac: str, device: dict[str, Any]) -> None:
    understood = told("discovery", {"mac_address": mac, "device": device})
    assert isinstance(understood, Discovery)
    assert understood.command.device_id == UUID("3814fb88-565c-5dc8-9b91-60d4002b6edc")
    assert understood.command.mac_address == "aa:bb:cc:dd:ee:ff"


@pytest.mark.parametrize(
    "body",
    [
        {"device": {"name": "d"}},
        {"device": {}, "mac_address": "aa:bb"},
        {"device": {"id": DEVICE.hex}, "mac_address": "aa:bb:cc:dd:ee:ff"},
        discovery(sensors=[part(id="x")]),
        discovery(sensors=[part(data_type_id=0)]),
        discovery(sensors=[part(data_type_id=True)]),
        discovery(sensors=[part(data_type_id="1")]),
        discovery(sensors=[part(data_type_id=2**63)]),
        discovery(sensors=[part(name=None)]),
        discovery(sensors=[part(name="a\0b")]),
        discovery(sensors={}),
        discovery(device={"id": str(DEVICE), "name": 7}),
        discovery(device={"id": str(DEVICE), "location": "\0"}),
        discovery(sensors=[part(id=str(uuid4())) for _ in range(257)]),
        discovery(device={"id": str(DEVICE), "name": "n" * 65_536}),
    ],
)
def test_a_discovery_is_taken_as_a_whole_or_not_at_all(body: dict[str, Any]) -> None:
    assert isinstance(told("discovery", body), Malformed)


def test_a_device_announces_only_itself_on_its_own_topic() -> None:
    assert isinstance(told(f"{DEVICE}/discovery", discovery()), Discovery)
    assert isinstance(told(f"{uuid4()}/discovery", discovery()), Malformed)


@pytest.mark.parametrize("topic", ["discovery", f"{DEVICE}/discovery", f"{DEVICE}/status", "readings"])
def test_an_empty_payload_only_clears_what_the_broker_kept(topic: str) -> None:
    assert isinstance(told(topic, b"", retained=True), Ignored)


def test_a_kept_discovery_says_nothing_about_now() -> None:
    understood = told("discovery", discovery(), retained=True)
    assert isinstance(understood, Discovery)
    assert not understood.command.live


@pytest.mark.parametrize("status_id", [3, "odd", None, 99, [1]])
def test_mq10_the_status_that_a_discovery_carries_is_ignored(status_id: Any) -> None:
    assert isinstance(told("discovery", discovery(device={"id": str(DEVICE), "status_id": status_id})), Discovery)


# Presence


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("online", 1),
        ("Online", 1),
        ("ready", 1),
        ("init", 1),
        ("sleeping", 1),
        ("alert", 2),
        ("error", 3),
        ("OFFLINE", 4),
        ("lost", 4),
        ("disconnected", 4),
    ],
)
def test_a_word_of_presence_is_a_status(word: str, status: int) -> None:
    understood = told(f"{DEVICE}/status", word.encode())
    assert isinstance(understood, Presence)
    assert (understood.command.device_id, understood.command.status) == (DEVICE, status)


@pytest.mark.parametrize("word", ["", "on", "onlineonline", "x" * 1000])
def test_other_words_are_no_presence(word: str) -> None:
    assert not isinstance(told(f"{DEVICE}/status", word.encode()), Presence)


# Responses, and the `state:` store


def response(**changes: Any) -> dict[str, Any]:
    return {"type": "actor_response", "actor_id": str(SENSOR), "action": "set", "status": "ok", **changes}


def test_a_response_names_actor_and_action() -> None:
    understood = told(f"{DEVICE}/response", response(status="error", value=None, error="jammed"))
    assert isinstance(understood, Answered)
    assert understood.command.device_id == DEVICE
    assert understood.command.response == Response(
        actor_id=SENSOR, action="set", status="error", value=None, error="jammed"
    )
    without = told(f"{DEVICE}/response", response())
    assert isinstance(without, Answered)
    assert without.command.response.value is UNSET


@pytest.mark.parametrize("changes", [{"actor_id": "x"}, {"status": "maybe"}, {"action": 5}, {"value": "x" * 65_536}])
def test_a_response_that_breaks_the_rules_is_malformed(changes: dict[str, Any]) -> None:
    assert isinstance(told(f"{DEVICE}/response", response(**changes)), Malformed)


def test_a_kept_response_answers_nothing() -> None:
    assert told(f"{DEVICE}/response", response(), retained=True) == Sign(DEVICE)


def test_a_state_is_told_by_the_first_characters_of_the_whole_topic() -> None:
    understood = understand(TOPICS, "state:a/b", b"\xff", False)
    assert understood == StateMessage(ReceiveStateMessage(mqtt_topic="state:a/b", payload=b"\xff"))
    assert isinstance(told("state:a", b"x"), Ignored)
    assert isinstance(understand(TOPICS, "states/a", b"x", False), Ignored)
    assert isinstance(understand(Topics("lambdaiot", keeps_state=False), "state:a", b"x", False), Ignored)


def test_a_kept_state_is_passed_over_and_one_too_large_is_malformed() -> None:
    assert isinstance(understand(TOPICS, "state:a", b"x", True), Ignored)
    assert isinstance(understand(TOPICS, "state:a", b"x" * 65_536, False), StateMessage)
    assert isinstance(understand(TOPICS, "state:a", b"x" * 65_537, False), Malformed)


def test_any_other_response_is_a_sign_of_life() -> None:
    assert told(f"{DEVICE}/response", b"{}") == Sign(DEVICE)


@given(some.sampled_from(["readings", "discovery", f"{DEVICE}/status", "", f"{DEVICE}/readings"]), some.binary())
def test_no_payload_makes_understanding_fail(topic: str, payload: bytes) -> None:
    told(topic, payload)


_keys = some.sampled_from(["sensor_id", "value", "value_at", "device", "sensors", "id", "type"])
_json = some.recursive(
    some.none() | some.booleans() | some.floats() | some.text() | some.just(str(SENSOR)),
    lambda inner: (
        some.lists(inner)
        | some.dictionaries(
            some.sampled_from(["sensor_id", "value", "value_at", "device", "sensors", "id", "type"]), inner
        )
    ),
)


@given(some.sampled_from(["readings", "discovery", ""]), _json)
def test_no_json_makes_understanding_fail(topic: str, payload: Any) -> None:
    told(topic, payload)
