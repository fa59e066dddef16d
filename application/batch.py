"""The states that one batch of commands is decided against, and what was decided."""

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, repeat
from typing import Any, NamedTuple, TypeVar, cast
from uuid import UUID

import msgspec

from application.command import Change, Command, Receipt
from application.ports import Loaded, NewEvent, Ref
from application.state_cache import StateCache
from domain.decider import Decider
from domain.errors import InvalidError
from domain.event import Envelope, Event, Origin
from domain.value import State

S = TypeVar("S", bound=State)


class IdTakenError(InvalidError):
    """The id already names an aggregate of another kind."""

    code = "domain.id_taken"


@dataclass(eq=False, slots=True)
class Waiting:
    """A command whose caller waits for the answer. A patient one waits for as long as the log hangs."""

    command: Command
    origin: Origin
    answer: asyncio.Future[Receipt]
    patient: bool


class NotLoaded(Exception):  # noqa: N818  # control flow between a handler and the executor
    """A handler asked for aggregates that have to be loaded first."""

    def __init__(self, refs: Sequence[Ref]) -> None:
        self.refs = refs


class Outcome(NamedTuple):
    """What was decided on a command: a refusal, or events from `offset` on among those of the batch."""

    waiting: Waiting
    aggregate_id: UUID | None = None
    version: int = 0
    offset: int = 0
    events: Sequence[Event] = ()
    refusal: Exception | None = None
    state: State | None = None


class BatchStates:
    """The states of one batch: the cache below, what this batch loaded or changed above. Given up on failure."""

    def __init__(self, cache: StateCache, now: datetime) -> None:
        self.now = now
        self.known: dict[UUID, Loaded] = {}
        self.events: list[NewEvent] = []
        self._cache = cache
        self._foreign: set[Ref] = set()
        self._event_ids = _event_ids(now)

    @property
    def looked_at(self) -> AbstractSet[UUID]:
        return {*self.known, *(ref.id for ref in self._foreign)}

    def find(self, decider: Decider[S], aggregate_id: UUID) -> S | None:
        loaded = self._loaded(decider, aggregate_id)
        if loaded is None:
            raise NotLoaded([Ref(decider, aggregate_id)])
        return cast("S | None", loaded.state)

    def find_many(self, decider: Decider[S], aggregate_ids: Iterable[UUID]) -> dict[UUID, S | None]:
        found: dict[UUID, S | None] = {}
        missing: list[Ref] = []
        for aggregate_id in aggregate_ids:
            loaded = self._loaded(decider, aggregate_id)
            if loaded is None:
                missing.append(Ref(decider, aggregate_id))
            else:
                found[aggregate_id] = cast("S | None", loaded.state)
        if missing:
            raise NotLoaded(missing)
        return found

    def require(self, changes: Sequence[Change]) -> Sequence[Loaded]:
        """What the changes start from."""
        before = [self._loaded(decider, aggregate_id) for (decider, aggregate_id), _ in changes]
        if None in before:
            raise NotLoaded([ref for (ref, _), loaded in zip(changes, before, strict=True) if loaded is None])
        if _TAKEN in before:
            taken = changes[before.index(_TAKEN)].ref.id
            raise IdTakenError(f"The id {taken} is already used for something else.")
        return cast("list[Loaded]", before)

    def add(self, loaded: Mapping[UUID, Loaded], wanted: Mapping[UUID, Ref]) -> None:
        for aggregate_id, ref in wanted.items():
            if loaded[aggregate_id].decider is ref.decider:
                self.known[aggregate_id] = loaded[aggregate_id]
            else:
                self._foreign.add(ref)

    def apply(self, waiting: Waiting, changes: Sequence[Change], before: Sequence[Loaded]) -> Outcome:
        """All changes of one command, or none when one cannot be applied."""
        if len(changes) > 1:
            _require_distinct(changes)
        offset = len(self.events)
        after: list[tuple[UUID, Loaded]] = []
        new: list[NewEvent] = []
        now, origin, ids = self.now, waiting.origin, self._event_ids
        for ((decider, aggregate_id), events), (_, state, version, snapshot_version) in zip(
            changes, before, strict=True
        ):
            if not events:
                continue
            for event in events:
                version += 1
                envelope = Envelope(
                    id=next(ids),
                    at=now,
                    actor=origin.actor,
                    source=origin.source,
                    correlation_id=origin.correlation_id,
                    causation_id=origin.causation_id,
                )
                new.append(NewEvent(aggregate_id, version, event, envelope))
            after.append((aggregate_id, Loaded(decider, decider.fold(events, state), version, snapshot_version)))
        # Only now that nothing can fail any more.
        self.events += new
        self.known.update(after)
        if not changes:
            return Outcome(waiting, None, 0, offset)
        first = changes[0].ref.id
        _, state, version, _ = after[0][1] if after and after[0][0] is first else before[0]
        return Outcome(waiting, first, version, offset, tuple([event for _, _, event, _ in new]), state=state)

    def _loaded(self, decider: Decider[Any], aggregate_id: UUID) -> Loaded | None:
        """None when it must be loaded first. An aggregate of another kind is none of this kind: who only looks finds
        nothing, who wants to write is refused."""
        loaded = self.known.get(aggregate_id)
        if loaded is None and (loaded := self._cache.get(aggregate_id)) is not None:
            self.known[aggregate_id] = loaded
        if self._foreign and Ref(decider, aggregate_id) in self._foreign:
            return _TAKEN
        return _TAKEN if loaded is not None and loaded[0] is not decider and loaded.version else loaded


def _require_distinct(changes: Sequence[Change]) -> None:
    changed: set[UUID] = set()
    for ref, events in changes:
        if not events:
            continue
        if ref.id in changed:
            raise IdTakenError(f"The id {ref.id} is used for two things; give each its own.")
        changed.add(ref.id)


# Stands for an aggregate of another kind than was asked for.
_TAKEN: Loaded = Loaded(Decider("", State, lambda state, event: state), None, 0)


def _event_ids(now: datetime) -> Iterator[UUID]:
    """UUIDs of version 7: the moment, then chance. Made many at a time, which takes a fifth of the time; few at first,
    because most batches are small."""
    version, chance, variant = os.urandom(3)
    moment = int(now.timestamp() * 1_000).to_bytes(6, "big")
    prefix = moment + bytes((0x70 | version & 0x0F, chance, 0x80 | variant & 0x3F))
    for many in chain((4,), repeat(64)):
        chances = os.urandom(7 * many)
        made = [prefix + chances[start : start + 7] for start in range(0, len(chances), 7)]
        yield from msgspec.convert(made, list[UUID])
