from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from domain.event import Event
from domain.identity.logins import (
    ACQUAINTANCE,
    LOGINS_OF_SOURCE,
    LOGINS_OF_USER,
    MINUTE,
    Failures,
    LoginRefused,
    LoginsBlocked,
    SourceBlocked,
    SourceRecognised,
    SourceRefused,
    TooManyFailuresError,
    recognise,
    refuse,
    refuse_source,
    require_open,
    together,
)
from tests.domain.specification import given

NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
ADA = UUID(int=1)
HERE = "203.0.113.7"
LIMIT = 20


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def failures(count: int, every: float = 1.0) -> Failures:
    """What so many failures leave behind, the first at noon."""
    state: Failures | None = None
    for n in range(count):
        state = LOGINS_OF_USER.fold(refuse(state or Failures(), ADA, HERE, after(n * every), LIMIT), state)
    return state or Failures()


def test_a_failure_is_recorded_of_the_user_and_of_the_source() -> None:
    assert refuse(Failures(), ADA, HERE, NOON, LIMIT) == (LoginRefused(user_id=ADA, source=HERE, at=NOON),)
    assert refuse_source(Failures(), ADA, HERE, NOON, LIMIT) == (SourceRefused(source=HERE, user_id=ADA, at=NOON),)


def test_the_twentieth_failure_in_a_minute_closes_the_door_for_a_minute() -> None:
    assert refuse(failures(18), ADA, HERE, after(19), LIMIT) == (LoginRefused(user_id=ADA, source=HERE, at=after(19)),)
    assert refuse(failures(19), ADA, HERE, after(19), LIMIT) == (
        LoginRefused(user_id=ADA, source=HERE, at=after(19)),
        LoginsBlocked(user_id=ADA, until=after(79)),
    )


def test_the_door_of_a_source_closes_in_the_same_way() -> None:
    state = LOGINS_OF_SOURCE.fold(SourceRefused(source=HERE, user_id=UUID(int=n), at=NOON) for n in range(19))
    assert state
    assert tuple(refuse_source(state, ADA, HERE, after(1), LIMIT))[1:] == (SourceBlocked(source=HERE, until=after(61)),)


def test_failures_of_more_than_a_minute_ago_do_not_count() -> None:
    assert len(tuple(refuse(failures(19, every=3.2), ADA, HERE, after(61), LIMIT))) == 1
    assert len(tuple(refuse(failures(19, every=3.0), ADA, HERE, after(59), LIMIT))) == 2


def test_while_the_door_is_closed_nothing_is_recorded() -> None:
    assert refuse(failures(20), ADA, HERE, after(30), LIMIT) == ()
    assert failures(500, every=0.1) == failures(20, every=0.1)


def test_nobody_is_tried_at_a_closed_door_and_everybody_a_minute_later() -> None:
    closed = failures(20, every=0)
    assert _seconds(closed, Failures(), 0, acquainted=False) == 60
    assert _seconds(closed, Failures(), 59.5, acquainted=False) == 1
    assert _seconds(closed, Failures(), 60, acquainted=False) is None


def test_a_user_who_is_known_at_a_source_is_not_locked_out_by_others_elsewhere() -> None:
    closed = failures(20)
    assert _seconds(closed, Failures(), 20, acquainted=True) is None
    assert _seconds(closed, Failures(), 20, acquainted=False) is not None


def test_the_lock_of_a_source_holds_for_those_who_are_known_there_too() -> None:
    assert _seconds(Failures(), failures(20), 20, acquainted=True) is not None


def test_of_two_locks_the_longer_one_is_told() -> None:
    assert _seconds(failures(20, every=0), failures(20, every=0.5), 10, acquainted=False) == 60


def test_an_open_door_asks_for_nothing() -> None:
    require_open(failures(19), failures(19), after(19), acquainted=False)


def test_the_minute_after_midnight_remembers_the_day_before() -> None:
    before = failures(10)
    more: list[Event] = [LoginRefused(user_id=ADA, source=HERE, at=after(n)) for n in range(20, 29)]
    today = LOGINS_OF_USER.fold(more)
    assert len(tuple(refuse(together([today, before]), ADA, HERE, after(30), LIMIT))) == 2
    assert len(tuple(refuse(together([today, None]), ADA, HERE, after(30), LIMIT))) == 1
    assert together([None, None]) == Failures()
    assert together([None, failures(20)]).blocked_until == after(19) + MINUTE


def test_the_first_login_from_a_source_is_remembered() -> None:
    given(ACQUAINTANCE).when(lambda known: recognise(known, ADA, HERE)).then(SourceRecognised(user_id=ADA, source=HERE))


def test_only_a_minute_is_kept_in_mind() -> None:
    state = LOGINS_OF_USER.fold(LoginRefused(user_id=ADA, source=HERE, at=after(10 * n)) for n in range(100))
    assert state
    assert len(state.at) == 6


def _seconds(of_user: Failures, of_source: Failures, at: float, *, acquainted: bool) -> int | None:
    """How long one has to wait, None when one need not."""
    try:
        require_open(of_user, of_source, after(at), acquainted=acquainted)
    except TooManyFailuresError as refusal:
        return refusal.seconds
    return None


@pytest.mark.parametrize("decide", [refuse, refuse_source])
def test_a_limit_of_one_closes_the_door_at_once(decide: object) -> None:
    decided: Sequence[Event] = decide(Failures(), ADA, HERE, NOON, 1)  # type: ignore[operator]  # one of the two above
    assert len(decided) == 2
