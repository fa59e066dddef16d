"""What devices say to questions is read leniently (contract devices 2.2)."""

from uuid import uuid4

import pytest

from adapters.mqtt.messages import MAX_RESPONSE_BYTES, Ignored, Malformed, Sign, understand
from adapters.mqtt.replies import Reply
from adapters.mqtt.topics import Topics

DEVICE = uuid4()
TOPICS = Topics("t")


def said(payload: bytes, retained: bool = False) -> object:
    return understand(TOPICS, f"t/{DEVICE}/responses", payload, retained)


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b'{"id":"q","payload":"ok"}', "ok"),
        (b'{"id":"q","payload":"a \\"b\\" \\u00e4"}', 'a "b" ä'),
        (b'{"id":"q","payload":{"a": 1}}', '{"a": 1}'),
        (b'{"id":"q","payload":[1,"x"] , "time":3}', '[1,"x"]'),
        (b'{"id":"q","payload":1.50}', "1.50"),
        (b'{"id":"q","payload":false}', "false"),
        (b'{"id":"q","payload":null}', ""),
        (b'{"id":"q"}', ""),
        (b' {"id":"q","payload":"","timestamp":"soon"}', ""),
    ],
)
def test_cq17_a_text_is_taken_as_it_is_and_other_json_as_its_text(payload: bytes, text: str) -> None:
    assert said(payload) == Reply(DEVICE, "q", text)


@pytest.mark.parametrize(
    "payload",
    [b"", b"hello", b"[]", b"{}", b'{"payload":"ok"}', b'{"id":""}', b'{"id":5}', b'{"id":"q","payload":"\xff"}'],
)
def test_what_is_no_reply_is_a_sign_of_life(payload: bytes) -> None:
    assert said(payload) == Sign(DEVICE)


def test_a_kept_reply_is_old_and_one_of_nobody_is_nobodys() -> None:
    assert isinstance(said(b'{"id":"q"}', retained=True), Ignored)
    assert isinstance(understand(TOPICS, "t/kitchen/responses", b'{"id":"q"}', False), Ignored)


def test_a_reply_that_is_too_long_or_too_deep_is_malformed() -> None:
    assert isinstance(said(b'{"id":"q","payload":"' + b"x" * MAX_RESPONSE_BYTES + b'"}'), Malformed)
    assert not isinstance(said(b'{"id":"q","payload":' + b"[" * 60_000), Reply)


def test_what_we_ask_ourselves_says_nothing_to_us() -> None:
    assert isinstance(understand(TOPICS, TOPICS.commands(DEVICE), b'{"id":"q","type":"command"}', False), Ignored)
