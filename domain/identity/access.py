"""Requests that were refused to somebody, because the token did not allow them or there were too many.

So many are recorded of one asker in a minute, and of the last of them that more may have followed, so that nobody fills
the log by asking. The streams are cut by the day.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from domain.decider import Decider
from domain.event import Event
from domain.value import State

MINUTE = timedelta(minutes=1)
MOST = 20
NOBODY = "anonymous"


class AccessRefused(Event, topic="identity.access.refused.v1"):
    """`asker` is the actor as far as a token says, else `anonymous`; `source` is a network address, of IPv6 the first
    64 bits; `route` is the path without what it names. `is_last` says that others of the minute are not recorded."""

    asker: str
    source: str
    method: str
    route: str
    status: int
    at: datetime
    is_last: bool = False


class Refusals(State):
    """When something was refused in the last minute."""

    at: tuple[datetime, ...] = ()


# Decide


def refuse(refusals: Refusals | None, refused: AccessRefused) -> Sequence[Event]:
    before = len(_lately(refusals, refused.at))
    if before >= MOST:
        return ()
    if before + 1 < MOST:
        return (refused,)
    return (replace(refused, is_last=True),)


# Evolve


def evolve(refusals: Refusals | None, event: Event) -> Refusals | None:
    if isinstance(event, AccessRefused):
        return Refusals(at=(*_lately(refusals, event.at), event.at))
    return refusals


def _lately(refusals: Refusals | None, now: datetime) -> Sequence[datetime]:
    return [at for at in refusals.at if now - at < MINUTE] if refusals else []


ACCESS = Decider("identity.access", Refusals, evolve, tail=MOST)
