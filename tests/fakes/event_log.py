"""The port EventLog in memory, where a test decides when others write and when the log is away."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from adapters.eventstore.mapper import Mapper
from application.ports import Appended, Loaded, LogUnavailableError, NewEvent, Ref, StaleError
from domain.catalogue import CATALOGUE
from domain.decider import Decider
from domain.event import Event, Recorded
from domain.person import person_of
from domain.value import State


class FakeEventLog:
    """Give several executors the same one: they are then several processes on one log.

    `before_append` runs in front of every append that nobody has the turn for, the place for a race. While `away`
    nothing can be reached.
    `appends` and `loads` tell what was asked for.
    """

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
        self.snapshots: dict[UUID, Loaded] = {}
        self.before_append: Callable[[], Awaitable[None]] | None = None
        self.away = False
        self.turns = 0
        self._in_turn = False
        self.appends: list[Sequence[NewEvent]] = []
        self.loads: list[Sequence[Ref]] = []
        self._forgotten: set[UUID | None] = set()

    async def load(self, refs: Sequence[Ref]) -> Mapping[UUID, Loaded]:
        self._reach()
        self.loads.append(refs)
        return {ref.id: self._loaded(ref) for ref in refs}

    async def append(self, events: Sequence[NewEvent], after: int, looked_at: Collection[UUID]) -> Appended:
        if self.before_append is not None and not self._in_turn:
            await self.before_append()
        self._reach()
        changed = {recorded.aggregate_id for recorded in self.recorded[after:]}
        if not changed.isdisjoint(looked_at):
            raise StaleError(len(self.recorded), changed)
        versions = {(recorded.aggregate_id, recorded.version) for recorded in self.recorded}
        if any((new.aggregate_id, new.version) in versions for new in events):
            raise StaleError(len(self.recorded), None)
        self.appends.append(events)
        first = len(self.recorded) + 1
        self.recorded += [
            Recorded(
                position=first + index,
                aggregate_id=new.aggregate_id,
                version=new.version,
                event=new.event,
                envelope=new.envelope,
            )
            for index, new in enumerate(events)
        ]
        self._forgotten |= {person_of(new.event) for new in events if new.event.forgets}
        self._forget()
        return Appended(first, len(self.recorded), changed)

    def _forget(self) -> None:
        """What the real log cannot open is not here either."""
        for index, recorded in enumerate(self.recorded if self._forgotten else ()):
            if recorded.event.personal and person_of(recorded.event) in self._forgotten:
                self.recorded[index] = replace(recorded, event=_without_key(recorded))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator["FakeEventLog"]:
        self._reach()
        self.turns += 1
        self._in_turn = True
        try:
            yield self
        finally:
            self._in_turn = False

    async def head(self) -> int:
        self._reach()
        return len(self.recorded)

    async def snapshot(self, aggregates: Mapping[UUID, Loaded]) -> None:
        self._reach()
        self.snapshots.update(aggregates)

    def _reach(self) -> None:
        if self.away:
            raise LogUnavailableError("the event log cannot be reached")

    def _loaded(self, ref: Ref) -> Loaded:
        history = [recorded for recorded in self.recorded if recorded.aggregate_id == ref.id]
        if not history:
            return Loaded(ref.decider, None, 0)
        version = history[-1].version
        if not history[-1].event.topic.startswith(f"{ref.decider.name}."):
            return Loaded(_FOREIGN, None, version)
        tail = ref.decider.tail
        kept = history if tail is None else history[len(history) - tail :]
        snapshot_version = self.snapshots[ref.id].version if ref.id in self.snapshots else 0
        return Loaded(ref.decider, ref.decider.fold(r.event for r in kept), version, snapshot_version)


def _without_key(recorded: Recorded) -> Event:
    new = NewEvent(recorded.aggregate_id, recorded.version, recorded.event, recorded.envelope)
    return _MAPPER.event(recorded.event.topic, _MAPPER.encode(new))


_MAPPER = Mapper(CATALOGUE)
_FOREIGN: Decider[Any] = Decider("", State, lambda state, event: state)
