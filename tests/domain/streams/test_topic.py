from datetime import date, timedelta

import pytest

from domain.streams.partition import Offsets
from domain.streams.topic import (
    TOPIC,
    DayClosed,
    Retention,
    RetentionInvalidError,
    RetentionSet,
    TopicNameError,
    check_name,
    close_day,
    days_to_close,
    is_log,
    is_reserved,
    set_retention,
)
from tests.domain.specification import given

WEEK = Retention(max_age_days=7)
TODAY = date(2026, 11, 27)


@pytest.mark.parametrize("name", ["product-stock", "a b", "日本語", "~:._-", "a" * 255, "..."])
def test_a_topic_may_be_called_almost_anything(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a\0", "a\n", "\x7f", "a" * 256, "é" * 128, "\ud800"])
def test_a_topic_is_not_called_nothing_a_folder_or_what_nobody_can_type(name: str) -> None:
    with pytest.raises(TopicNameError):
        check_name(name)


def test_only_tidemark_writes_the_topics_that_hold_the_log() -> None:
    assert is_reserved("$events.devices")
    assert is_reserved("$events.nothing")
    assert not is_reserved("$eventsourcing")
    assert is_log("$events.devices")
    assert not is_log("$events.nothing")


def test_retention_is_set_once() -> None:
    given(TOPIC).when(lambda topic: set_retention(topic, "t", WEEK)).then(RetentionSet(name="t", retention=WEEK))
    given(TOPIC).when(lambda topic: set_retention(topic, "t", Retention())).then_nothing()
    given(TOPIC).when(lambda topic: set_retention(topic, "t", Retention(max_bytes=0))).then_refused(
        RetentionInvalidError, "streams.retention_invalid"
    )


def test_days_are_closed_in_their_order() -> None:
    first = (Offsets(offset=7, entries=2),)
    closed = DayClosed(name="t", day=TODAY, first=first)
    given(TOPIC).when(lambda topic: close_day(topic, "t", TODAY, first, "")).then(closed)
    past = given(TOPIC, closed)
    past.when(lambda topic: close_day(topic, "t", TODAY - timedelta(days=1), first, "")).then_nothing()
    assert past.state is not None
    assert past.state.begins_at(0) == first[0]


def test_only_days_that_are_over_go_oldest_first_until_the_rest_is_young_and_small_enough() -> None:
    sizes = {TODAY - timedelta(days=n): 10 for n in range(10)}
    oldest = [TODAY - timedelta(days=n) for n in range(9, -1, -1)]
    assert days_to_close(Retention(), sizes, TODAY) == []
    assert days_to_close(WEEK, sizes, TODAY) == oldest[:2]
    assert days_to_close(Retention(max_bytes=45), sizes, TODAY) == oldest[:6]
    assert days_to_close(Retention(max_bytes=1), sizes, TODAY) == oldest[:9], "today is always kept"
