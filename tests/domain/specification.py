"""Rules in facts: given events, when a decision is taken, then these events (or this refusal)."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import pytest

from domain.decider import Decider
from domain.errors import DomainError
from domain.event import Event
from domain.value import State

S = TypeVar("S", bound=State)


class Given(Generic[S]):
    """An aggregate with a past."""

    def __init__(self, decider: Decider[S], *events: Event) -> None:
        self._decider = decider
        self._events = events

    @property
    def state(self) -> S | None:
        return self._decider.fold(self._events)

    def when(self, decide: Callable[[S | None], Sequence[Event]]) -> "When[S]":
        return When(self, decide)

    def and_then(self, *events: Event) -> "Given[S]":
        return Given(self._decider, *self._events, *events)


class When(Generic[S]):
    def __init__(self, past: Given[S], decide: Callable[[S | None], Sequence[Event]]) -> None:
        self._past = past
        self._decide = decide

    def then(self, *expected: Event) -> None:
        """These events and no others; and the same decision taken again records nothing."""
        assert tuple(self._decide(self._past.state)) == expected
        assert tuple(self._decide(self._past.and_then(*expected).state)) == ()

    def then_nothing(self) -> None:
        assert tuple(self._decide(self._past.state)) == ()

    def then_refused(self, refusal: type[DomainError], code: str) -> None:
        with pytest.raises(refusal) as caught:
            self._decide(self._past.state)
        assert caught.value.code == code
        assert caught.value.message


def given(decider: Decider[S], *events: Event) -> Given[S]:
    return Given(decider, *events)
