"""What a device is given of a request's body."""

import pytest

from entrypoints.cloud_connector.bodies.payload import payload_of

BODIES = {
    b"": "",
    b"{}": "{}",
    b"hello": "hello",
    b'{"payload":"on"}': "on",
    b' {"a": 1, "payload": "" } ': "",
    b'{"payload":null}': '{"payload":null}',
    b'{"payload":{"a":1}}': '{"payload":{"a":1}}',
    b'["payload"]': '["payload"]',
    b'{"payload":"x"': '{"payload":"x"',
    b'{"payload":"\xff"}': '{"payload":"\ufffd"}',
    b'{"payload":"\\ud800"}': '{"payload":"\\ud800"}',
    b"[" * 100_000: "[" * 100_000,
}


@pytest.mark.parametrize(("body", "field"), BODIES.items(), ids=range(len(BODIES)))
def test_the_field_if_there_is_one_else_all_of_it(body: bytes, field: str) -> None:
    assert payload_of(body, "field") == field


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_raw_is_all_of_it(body: bytes) -> None:
    assert payload_of(body, "raw") == body.decode(errors="replace")
