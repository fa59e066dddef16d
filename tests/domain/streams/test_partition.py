from datetime import UTC, datetime, timedelta

from msgspec import Raw

from domain.streams.partition import PARTITION, MessagesProduced, produce
from domain.streams.submission import SUBMISSION, KeyReusedError, SubmissionAccepted, accept
from tests.domain.specification import given

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def produced(entry: int, offset: int, count: int) -> MessagesProduced:
    return MessagesProduced(name="t", partition=2, entry=entry, offset=offset, count=count, values=Raw(b"[1]"))


def test_messages_are_numbered_without_a_gap() -> None:
    past = given(PARTITION, produced(1, 0, 3), produced(2, 3, 1))
    assert list(produce(past.state, "t", 2, 2, Raw(b"[1]"))) == [produced(3, 4, 2)]
    assert list(produce(None, "t", 2, 2, Raw(b"[1]"))) == [produced(1, 0, 2)]


def test_the_last_event_says_all_that_the_next_one_needs() -> None:
    assert PARTITION.fold([produced(2, 7, 2)]) == PARTITION.fold([produced(1, 0, 7), produced(2, 7, 2)])


ACCEPTED = SubmissionAccepted(name="t", digest="d", until=NOON + DAY)


def test_a_request_with_a_key_is_accepted_once_a_day() -> None:
    given(SUBMISSION).when(lambda submission: accept(submission, "t", "d", NOON)).then(ACCEPTED)
    late = given(SUBMISSION, ACCEPTED)
    assert list(accept(late.state, "t", "d", NOON + DAY)) == [
        SubmissionAccepted(name="t", digest="d", until=NOON + 2 * DAY)
    ]


def test_a_key_does_not_stand_for_two_requests() -> None:
    given(SUBMISSION, ACCEPTED).when(lambda submission: accept(submission, "t", "other", NOON)).then_refused(
        KeyReusedError, "streams.key_reused"
    )
