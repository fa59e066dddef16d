from datetime import UTC, datetime, timedelta

from domain.identity.access import ACCESS, MINUTE, MOST, NOBODY, AccessRefused, Refusals, refuse
from tests.domain.specification import given

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def refused(seconds: float = 0) -> AccessRefused:
    return AccessRefused(
        asker=NOBODY,
        source="203.0.113.7",
        method="GET",
        route="/audit/events",
        status=403,
        at=NOON + timedelta(seconds=seconds),
    )


def test_what_is_refused_is_recorded() -> None:
    assert list(refuse(None, refused())) == [refused()]


def test_of_many_in_a_minute_the_last_that_is_recorded_says_so() -> None:
    state: Refusals | None = None
    recorded = []
    for n in range(100):
        events = refuse(state, refused(n / 10))
        recorded += [event for event in events if isinstance(event, AccessRefused)]
        state = ACCESS.fold(events, state)
    assert [event.is_last for event in recorded] == [False] * (MOST - 1) + [True]
    assert state is not None
    assert len(state.at) == MOST


def test_a_minute_later_it_begins_anew() -> None:
    past = given(ACCESS, *(refused() for _ in range(MOST)))
    assert refuse(past.state, refused(1)) == ()
    later = refused(MINUTE.total_seconds())
    assert list(refuse(past.state, later)) == [later]
