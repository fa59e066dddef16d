"""What an aggregate was at an earlier moment: the fold of its events up to then."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from domain.aggregates import DECIDERS, withheld_fields
from projections.audit.aggregate_events import FOLDED, AggregateEvents, Decode
from projections.audit.differences import public_fields
from projections.database import Database


class BeforeItBeganError(Exception):
    """Nothing had happened to the aggregate by then."""


class NoStateError(Exception):
    """Something had happened, and nobody folds it to a state; the text says why."""


class PastState(NamedTuple):
    """After its event of that version, which stands at that position and was the last by then. The state is without
    private and personal fields, and None where the aggregate was gone."""

    version: int
    position: int
    state: Mapping[str, Any] | None


class StateQueries:
    def __init__(self, database: Database, decode: Decode) -> None:
        self._events = AggregateEvents(database, decode)

    async def kind(self, context: str, id: UUID) -> str | None:
        """Which kind of aggregate it is, `<context>.<aggregate>`; None when the context has no such."""
        return await self._events.kind(context, id)

    async def find(self, aggregate: str, id: UUID, position: int) -> PastState:
        """As of the position, of an aggregate of that kind. Raises BeforeItBeganError and NoStateError."""
        version, at = await self._events.last_by(id, position)
        if version == 0:
            raise BeforeItBeganError(f"nothing had happened to {id} by position {position} yet; it began at {at}")
        decider = DECIDERS.get(aggregate)
        if decider is None:
            raise NoStateError(f"there is no state of {id}: {aggregate} is known to a newer program only")
        if decider.tail == 0:
            raise NoStateError(f"there is no state of {id}: each event of {aggregate} stands for itself")
        if decider.tail is None and version > FOLDED:
            raise NoStateError(
                f"there is no state of {id}: it had {version} events by then, and {FOLDED} are folded at most"
            )
        try:
            state = await self._events.folded(decider, id, version)
        except LookupError:
            raise NoStateError(f"there is no state of {id}: one of its events by then is of a newer program") from None
        return PastState(version, at, public_fields(state, withheld_fields(aggregate)))
