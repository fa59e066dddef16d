"""The states of aggregates that were looked at lately, so that the next batch need not load them."""

from collections.abc import Collection, Mapping
from uuid import UUID

from application.ports import Loaded


class StateCache:
    """Two generations instead of an order of use: keeping a batch's states is one update of a dictionary, where moving
    each of them to the end took as long as deciding. What is used again is kept again, so it moves to the young.

    Holds at most about `at_most` states, and always the whole of the batch that was kept last.
    """

    def __init__(self, at_most: int) -> None:
        self._generation = max(at_most // 2, 1)
        self._young: dict[UUID, Loaded] = {}
        self._old: dict[UUID, Loaded] = {}

    def get(self, aggregate_id: UUID) -> Loaded | None:
        found = self._young.get(aggregate_id)
        return self._old.get(aggregate_id) if found is None else found

    def keep(self, states: Mapping[UUID, Loaded]) -> None:
        if len(self._young) >= self._generation:
            self._young, self._old = {}, self._young
        self._young.update(states)

    def forget(self, aggregate_ids: Collection[UUID] | None) -> None:
        """None: everything."""
        if aggregate_ids is None:
            self._young, self._old = {}, {}
            return
        for aggregate_id in aggregate_ids:
            self._young.pop(aggregate_id, None)
            self._old.pop(aggregate_id, None)
