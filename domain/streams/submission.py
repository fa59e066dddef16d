"""A request to produce that names itself (`Idempotency-Key`), so that sending it again stores nothing twice."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from domain.decider import Decider
from domain.errors import InvalidError
from domain.event import Event
from domain.value import State

REMEMBERED: Final = timedelta(days=1)
LONGEST_KEY: Final = 255


class SubmissionAccepted(Event, topic="streams.submission.accepted.v1"):
    """`digest` tells the request apart from another one that has the same key by mistake."""

    name: str
    digest: str
    until: datetime


class Submission(State):
    digest: str
    until: datetime


class KeyReusedError(InvalidError):
    """The key named another request within the last day."""

    code = "streams.key_reused"


# Decide


def accept(submission: Submission | None, name: str, digest: str, now: datetime) -> Sequence[Event]:
    """Nothing when it was accepted already, within a day."""
    if submission is not None and now < submission.until:
        if submission.digest != digest:
            raise KeyReusedError("The Idempotency-Key was used for another request within the last day.")
        return ()
    return (SubmissionAccepted(name=name, digest=digest, until=now + REMEMBERED),)


# Evolve


def evolve(submission: Submission | None, event: Event) -> Submission | None:
    match event:
        case SubmissionAccepted():
            return Submission(digest=event.digest, until=event.until)
    return submission


SUBMISSION = Decider("streams.submission", Submission, evolve, tail=1)
