"""Commands, what a handler may ask, what it answers, and what the caller gets."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar
from uuid import UUID

from application.ports import Ref
from domain.decider import Decider
from domain.event import Event
from domain.value import State, Value

S = TypeVar("S", bound=State)


class Command(Value):
    """Something asked for, in the imperative. It may be refused."""


class Change(NamedTuple):
    """What a handler wants recorded on one aggregate; each aggregate at most once per command."""

    ref: Ref
    events: Sequence[Event]


class Aggregates(Protocol):
    """The states that a decision looks at, as of this moment in the batch."""

    now: datetime

    def find(self, decider: Decider[S], aggregate_id: UUID) -> S | None:
        """The aggregate's state, None when nothing was ever recorded of it."""

    def find_many(self, decider: Decider[S], aggregate_ids: Iterable[UUID]) -> dict[UUID, S | None]:
        """The same for many at once, which costs one load instead of many."""


Handler = Callable[[Any, Aggregates], Sequence[Change]]


def change(decider: Decider[Any], aggregate_id: UUID, events: Sequence[Event]) -> Change:
    return Change(Ref(decider, aggregate_id), events)


class Receipt(NamedTuple):
    """What the caller gets once everything is on disk.

    `position` is that of the command's last event; `first` that of its first. A command that recorded nothing
    has `first` 0, and `position` is where its batch ended, so that a read that waits for it sees what it saw.
    `state` is what `aggregate_id`, the first of what was changed or looked at, is after the command.
    """

    aggregate_id: UUID | None
    version: int
    position: int
    first: int = 0
    events: Sequence[Event] = ()
    state: State | None = None
