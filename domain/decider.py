"""The shape of an aggregate: a name, a state and an `evolve`; its decisions are plain functions beside it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar
from zlib import crc32

import msgspec

from domain.event import Event
from domain.value import State

S = TypeVar("S", bound=State)


@dataclass(frozen=True, eq=False)
class Decider(Generic[S]):
    """How one kind of aggregate is rebuilt.

    `name` is `<context>.<aggregate>`. `tail` bounds what must be read to go on: `None` means the whole history
    (with snapshots every `snapshot_every` events), a number means that the state is the fold of that many last
    events. Telemetry streams use 0: they take the next event without reading any, and only their version counts.
    """

    name: str
    state: type[S]
    evolve: Callable[[S | None, Event], S | None]
    tail: int | None = None
    snapshot_every: int = 100

    @cached_property
    def snapshot_topic(self) -> str:
        """Names the state's shape too, so that a snapshot taken of another shape is recognised and passed over."""
        shape = crc32(msgspec.json.encode(msgspec.json.schema(self.state)))
        return f"{self.name}.snapshot.{shape:08x}"

    def fold(self, events: Iterable[Event], state: S | None = None) -> S | None:
        """The state after `events`, starting from `state`. Equals replaying the aggregate."""
        for event in events:
            state = self.evolve(state, event)
        return state
