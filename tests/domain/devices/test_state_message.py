from domain.devices import state_message
from domain.devices.state_message import STATE_MESSAGES, StateMessageReceived


def test_a_text_is_kept_as_it_is() -> None:
    assert state_message.receive("state:a", "an ä\0".encode()) == (
        StateMessageReceived(mqtt_topic="state:a", payload="an ä\0"),
    )


def test_of_what_is_no_text_the_bytes_are_kept_too() -> None:
    assert state_message.receive("state:a", b"\xff\xfeon") == (
        StateMessageReceived(mqtt_topic="state:a", payload="\ufffd\ufffdon", raw=b"\xff\xfeon"),
    )


def test_a_day_of_messages_is_never_replayed() -> None:
    assert STATE_MESSAGES.tail == 0
