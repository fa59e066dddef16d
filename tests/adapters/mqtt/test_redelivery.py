"""Which messages delivered again were recorded before: nothing is ever taken for recorded that was not."""

from hypothesis import given
from hypothesis import strategies as some

from adapters.mqtt.redelivery import recorded_before

digests = some.lists(some.sampled_from("abc"), max_size=12)


def test_the_end_of_the_stream_is_the_beginning_of_what_comes_again() -> None:
    assert recorded_before(list("xyabc"), list("abcde")) == 3


def test_an_equal_message_further_back_is_another_measurement() -> None:
    assert recorded_before(list("ab"), list("a")) == 0


def test_nothing_was_recorded_of_what_the_stream_does_not_end_with() -> None:
    assert recorded_before(list("abc"), list("xyz")) == 0
    assert recorded_before([], list("a")) == 0


def test_the_order_within_the_end_does_not_matter() -> None:
    assert recorded_before(list("xba"), list("abc")) == 2


@given(acknowledged=digests, committed=digests, lost=digests)
def test_whatever_was_recorded_and_not_acknowledged_is_found(
    acknowledged: list[str], committed: list[str], lost: list[str]
) -> None:
    assert recorded_before(acknowledged + committed, committed + lost) >= len(committed)


@given(earlier=digests, committed=digests, lost=digests)
def test_of_distinct_messages_none_is_lost(earlier: list[str], committed: list[str], lost: list[str]) -> None:
    distinct = [f"{digest}{number}" for number, digest in enumerate(committed + lost)]
    recorded, missing = distinct[: len(committed)], distinct[len(committed) :]
    assert recorded_before(earlier + recorded, recorded + missing) == len(recorded)
