"""Deciding a batch of commands, in order, against the states that the log gives."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from application.batch import BatchStates, NotLoaded, Outcome, Waiting
from application.command import Command, Handler
from application.ports import Clock, EventLog, Ref
from application.state_cache import StateCache


class Decided(NamedTuple):
    """A batch with what was decided on each of its commands, and the states that this rests on."""

    batch: list[Waiting]
    states: BatchStates
    outcomes: list[Outcome]


class Deciding:
    """`cache` holds states that need not be loaded; it is only read here."""

    def __init__(self, handlers: Mapping[type[Command], Handler], clock: Clock, cache: StateCache) -> None:
        self._handlers = handlers
        self._clock = clock
        self._cache = cache

    async def decide(self, batch: list[Waiting], log: EventLog) -> Decided:
        """Decides in order. A refusal concerns only its own command. States that are missing are loaded for the
        whole rest of the batch at once, by letting the later handlers ask without using their answers."""
        states = BatchStates(self._cache, self._clock())
        outcomes: list[Outcome] = []
        asking: Iterable[int] = range(len(batch))
        for index, waiting in enumerate(batch):
            outcome = self._decide_one(waiting, states)
            while isinstance(outcome, NotLoaded):
                # One kind for each id at a time: two commands may take the same id for different things.
                wanted = {ref.id: ref for ref in outcome.refs}
                asking = [later for later in asking if later > index and self._asks(batch[later], states, wanted)]
                states.add(await log.load(list(wanted.values())), wanted)
                outcome = self._decide_one(waiting, states)
            outcomes.append(outcome)
        return Decided(batch, states, outcomes)

    def _asks(self, waiting: Waiting, states: BatchStates, wanted: dict[UUID, Ref]) -> bool:
        """Whether the command lacks states, which are then wanted too. One that lacks none is not asked again: it
        waits for an earlier command of the batch, and asking all of these each time would take longer than loading."""
        probed = self._decide_one(waiting, states, probe=True)
        if not isinstance(probed, NotLoaded):
            return False
        for ref in probed.refs:
            wanted.setdefault(ref.id, ref)
        return True

    def _decide_one(self, waiting: Waiting, states: BatchStates, probe: bool = False) -> Outcome | NotLoaded:
        try:
            changes = self._handlers[type(waiting.command)](waiting.command, states)
            before = states.require(changes)
            if probe:
                return Outcome(waiting)
            return states.apply(waiting, changes, before)
        except NotLoaded as missing:
            return missing
        except StopIteration as defect:  # which no future takes as an answer
            return Outcome(waiting, refusal=RuntimeError(f"a handler raised {defect!r}"))
        except Exception as refusal:  # noqa: BLE001  # a defect met by one command must not spoil the others' batch
            return Outcome(waiting, refusal=refusal)
