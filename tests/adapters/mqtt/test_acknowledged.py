"""Repetitions that crossed their acknowledgement are known, and new messages are never taken for them."""

import pytest

from adapters.mqtt.acknowledged import REMEMBERED, Acknowledged


class Seconds:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


def test_a_repetition_under_the_same_packet_id_is_known_at_once(clock: Seconds) -> None:
    acknowledged = Acknowledged(5, clock)
    acknowledged.add(1, 77)
    assert acknowledged.has(1, 77)
    assert not acknowledged.has(1, 78)


def test_under_a_new_packet_id_it_is_known_once_an_earlier_connection_left_nothing_more(clock: Seconds) -> None:
    acknowledged = Acknowledged(5, clock)
    acknowledged.add(1, 77)
    clock.now += 9.9
    assert not acknowledged.has(2, 77), "may be another message with the same words, left by an earlier connection"
    clock.now += 0.1
    assert acknowledged.has(2, 77)
    assert not acknowledged.has(2, 78)
    acknowledged.reading_again()
    assert not acknowledged.has(2, 77), "may have waited unread"


def test_so_many_are_remembered_and_no_more(clock: Seconds) -> None:
    acknowledged = Acknowledged(5, clock)
    clock.now += 10
    for number in range(1, 3 * REMEMBERED + 1):
        acknowledged.add(1, number)
    assert acknowledged.has(2, 2 * REMEMBERED + 1)
    assert not acknowledged.has(2, REMEMBERED)
