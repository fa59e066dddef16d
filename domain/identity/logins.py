"""Logins that failed, by user and by source: twenty in a minute close the door for a minute.

Whoever guesses passwords is stopped at the source; whoever guesses from many sources is stopped at the user. So that
nobody can lock a user out by failing on purpose, the user's own lock does not hold at sources where the user has
logged in before. Names are never in these events, because people type passwords where names belong.

The streams are cut by the day. While a door is closed nothing is recorded, so a flood does not fill the log.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from domain.decider import Decider
from domain.errors import DomainError
from domain.event import Event
from domain.value import State

MINUTE = timedelta(minutes=1)

# The largest number of failures in a minute that can be allowed: so many events are read back.
MOST = 1_000


class LoginRefused(Event, topic="identity.login.refused.v1"):
    """A login as this user failed: a wrong password, a disabled account, or there is no such user."""

    user_id: UUID
    source: str
    at: datetime


class LoginsBlocked(Event, topic="identity.login.blocked.v1"):
    """Too many of them. Until then nobody logs in as this user, except where the user is known."""

    user_id: UUID
    until: datetime


class SourceRefused(Event, topic="identity.source.refused.v1"):
    """The same failure, as the source's: a network address, of IPv6 the first 64 bits."""

    source: str
    user_id: UUID
    at: datetime


class SourceBlocked(Event, topic="identity.source.blocked.v1"):
    """Until then nobody logs in from this source."""

    source: str
    until: datetime


class SourceRecognised(Event, topic="identity.acquaintance.recognised.v1"):
    """The user has logged in from this source for the first time."""

    user_id: UUID
    source: str


class Failures(State):
    """What failed in the last minute, and how long the door stays closed."""

    at: tuple[datetime, ...] = ()
    blocked_until: datetime | None = None


class Acquaintance(State):
    """A user and a source that have met."""


class TooManyFailuresError(DomainError):
    """Whether the password would have been right is not said; try again after so many seconds."""

    code = "identity.too_many_failures"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many logins failed; try again in {seconds} s.")
        self.seconds = seconds


# Decide


def require_open(of_user: Failures, of_source: Failures, now: datetime, *, acquainted: bool) -> None:
    """Raises TooManyFailuresError when the user may not be tried from this source now."""
    doors = (of_source,) if acquainted else (of_source, of_user)
    waits = [door.blocked_until - now for door in doors if door.blocked_until and door.blocked_until > now]
    if waits:
        raise TooManyFailuresError(ceil(max(waits) / timedelta(seconds=1)))


def refuse(of_user: Failures, user_id: UUID, source: str, now: datetime, limit: int) -> Sequence[Event]:
    if _is_closed(of_user, now):
        return ()
    refused = LoginRefused(user_id=user_id, source=source, at=now)
    if _is_last(of_user, now, limit):
        return (refused, LoginsBlocked(user_id=user_id, until=now + MINUTE))
    return (refused,)


def refuse_source(of_source: Failures, user_id: UUID, source: str, now: datetime, limit: int) -> Sequence[Event]:
    if _is_closed(of_source, now):
        return ()
    refused = SourceRefused(source=source, user_id=user_id, at=now)
    if _is_last(of_source, now, limit):
        return (refused, SourceBlocked(source=source, until=now + MINUTE))
    return (refused,)


def recognise(acquaintance: Acquaintance | None, user_id: UUID, source: str) -> Sequence[Event]:
    return () if acquaintance else (SourceRecognised(user_id=user_id, source=source),)


def together(days: Iterable[Failures | None]) -> Failures:
    """The streams of two days as one, for the minute after midnight."""
    known = [day for day in days if day is not None]
    ends = [day.blocked_until for day in known if day.blocked_until]
    return Failures(at=tuple(sorted(at for day in known for at in day.at)), blocked_until=max(ends, default=None))


def _is_closed(failures: Failures, now: datetime) -> bool:
    return failures.blocked_until is not None and failures.blocked_until > now


def _is_last(failures: Failures, now: datetime, limit: int) -> bool:
    """Whether one more failure is one too many."""
    return len(_lately(failures.at, now)) + 1 >= limit


# Evolve


def evolve(failures: Failures | None, event: Event) -> Failures | None:
    match event:
        case LoginRefused(at=at) | SourceRefused(at=at):
            known = failures or Failures()
            return Failures(at=(*_lately(known.at, at), at), blocked_until=known.blocked_until)
        case LoginsBlocked(until=until) | SourceBlocked(until=until):
            return Failures(at=(failures or Failures()).at, blocked_until=until)
    return failures


def evolve_acquaintance(acquaintance: Acquaintance | None, event: Event) -> Acquaintance | None:
    return Acquaintance() if isinstance(event, SourceRecognised) else acquaintance


def _lately(failures: Sequence[datetime], now: datetime) -> Sequence[datetime]:
    return [at for at in failures[-MOST:] if now - at < MINUTE]


LOGINS_OF_USER = Decider("identity.login", Failures, evolve, tail=MOST)
LOGINS_OF_SOURCE = Decider("identity.source", Failures, evolve, tail=MOST)
ACQUAINTANCE = Decider("identity.acquaintance", Acquaintance, evolve_acquaintance)
