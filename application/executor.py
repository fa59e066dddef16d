"""The command executor: the only thing that appends to the log.

Callers queue commands. One loop drains whatever has come in, decides everything in order against cached states,
appends all events in one transaction (group commit), and only then answers each caller. So a hundred waiting
commands cost one fsync, and no command waits for a timer. While a batch is written the next is decided already, if
so much is waiting.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID

from application.batch import BatchStates, Outcome, Waiting
from application.command import Command, Handler, Receipt
from application.deciding import Decided, Deciding
from application.ports import Clock, EventLog, Loaded, LogUnavailableError, Ref, StaleError
from application.shared_lookup import SharedLookup
from application.state_cache import StateCache
from domain.decider import Decider
from domain.event import Origin
from domain.value import State

S = TypeVar("S", bound=State)

BATCH = 1_000
ATTEMPTS = 5
LOOK_SECONDS = 0.25


class CommandConflictError(Exception):
    """Other processes kept changing the same aggregates; the command was given up after several decisions."""


class Overloaded(Exception):  # noqa: N818  # a condition of the process, not a fault of the caller
    """More commands wait than this process takes on; come back in a moment."""


class OutcomeUnknownError(LogUnavailableError):
    """The log has not answered yet. The command may still be recorded, so look before asking again."""


class ExecutorObserver(Protocol):
    """Is told what each batch cost."""

    def batch_committed(self, commands: int, events: int, seconds: float, position: int) -> None: ...

    def conflicted(self) -> None: ...


class CommandExecutor:
    """Decides and appends commands for this process. Use `running()` around its life.

    `max_waiting` bounds the queue; beyond it `execute` raises Overloaded at once. `cached` bounds the number of
    aggregates whose states are kept between batches. `patience` is for how many seconds a batch may be under way
    before those who cannot wait are told that the log hangs.
    """

    def __init__(
        self,
        log: EventLog,
        handlers: Mapping[type[Command], Handler],
        clock: Clock,
        observer: ExecutorObserver | None = None,
        *,
        max_waiting: int = 20_000,
        cached: int = 50_000,
        patience: float = 3.0,
    ) -> None:
        self._log = log
        self._observer = observer
        self._max_waiting = max_waiting
        self._patience = patience
        self._cache = StateCache(cached)
        self._deciding = Deciding(handlers, clock, self._cache)
        self._lookups: dict[Decider[Any], SharedLookup[UUID, Loaded]] = {}
        self._queue: list[Waiting] = []
        self._batch: list[Waiting] = []
        self._ahead: Decided | None = None
        self._batch_since: float | None = None
        self._arrived = asyncio.Event()
        self._stopping = False
        self._position: int | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator["CommandExecutor"]:
        """Runs the loop. On leaving, everything queued is still decided and committed, unless the log hangs."""
        loop = asyncio.create_task(self._run(), name="command executor")
        watch = asyncio.create_task(self._watch(loop), name="command executor's patience")
        try:
            yield self
        finally:
            self._stopping = True
            self._arrived.set()
            await asyncio.wait({loop})
            watch.cancel()
            self._give_up("this process is shutting down", patient_too=True)
            if not loop.cancelled():
                loop.result()

    async def execute(self, command: Command, origin: Origin) -> Receipt:
        """Returns once the command's events are committed and synced.

        Raises the DomainError of the refusing rule, CommandConflictError, LogUnavailableError or Overloaded; in
        each case nothing of the command was acknowledged. Nothing was recorded either, nor will be, unless it is
        OutcomeUnknownError.
        """
        if self._hangs:
            raise LogUnavailableError("the event log does not answer")
        return await self._enqueue(command, origin, patient=False)

    def submit(self, command: Command, origin: Origin) -> asyncio.Future[Receipt]:
        """The same for who can wait however long the log hangs: queues the command behind all submitted before and
        returns its answer."""
        return self._enqueue(command, origin, patient=True)

    async def find(self, decider: Decider[S], aggregate_id: UUID) -> S | None:
        """The aggregate's state as the log has it now, whichever process wrote it. Those who ask for one of the same
        kind at the same time are answered by one load."""
        lookup = self._lookups.get(decider)
        if lookup is None:
            lookup = self._lookups[decider] = SharedLookup(partial(self._load, decider))
        loaded = await lookup.find(aggregate_id)
        return cast("S | None", loaded.state if loaded else None)

    async def _load(self, decider: Decider[Any], ids: Collection[UUID]) -> Mapping[UUID, Loaded]:
        return await self._log.load([Ref(decider, id) for id in ids])

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def _hangs(self) -> bool:
        return self._batch_since is not None and monotonic() - self._batch_since > self._patience

    def _enqueue(self, command: Command, origin: Origin, *, patient: bool) -> asyncio.Future[Receipt]:
        if self._stopping:
            raise LogUnavailableError("this process is shutting down")
        if len(self._queue) >= self._max_waiting:
            raise Overloaded("too many commands are waiting")
        answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._queue.append(Waiting(command, origin, answer, patient))
        self._arrived.set()
        return answer

    async def _watch(self, loop: asyncio.Task[None]) -> None:
        """Looks now and then instead of keeping a timer for every command."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._hangs:
                self._give_up("the event log does not answer")
                if self._stopping:
                    loop.cancel()

    def _give_up(self, reason: str, *, patient_too: bool = False) -> None:
        """Commands that the log was not given yet will not be recorded once they are answered; the others may be."""
        ahead = self._ahead.batch if self._ahead else []
        for batch, error in ((self._batch, OutcomeUnknownError), (ahead + self._queue, LogUnavailableError)):
            _fail([waiting for waiting in batch if patient_too or not waiting.patient], error(reason))

    async def _run(self) -> None:
        while self._ahead or self._queue or not self._stopping:
            if self._ahead and any(waiting.answer.done() for waiting in self._ahead.batch):
                self._drop_ahead()  # somebody gave up: what was decided for him must not happen
            if self._ahead is None:
                await self._arrived.wait()
            decided, self._ahead = self._ahead, None
            self._batch = decided.batch if decided else self._take()
            if self._batch:
                await self._commit_with_retries(self._batch, decided, ahead=True)
            self._batch, self._batch_since = [], None

    def _take(self) -> list[Waiting]:
        batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
        if not self._queue and not self._stopping:
            self._arrived.clear()
        return [waiting for waiting in batch if not waiting.answer.done()]

    def _put_back(self, batch: list[Waiting]) -> None:
        """They are decided again, before everybody who came later."""
        self._queue[:0] = batch
        self._arrived.set()

    async def _commit_with_retries(
        self, batch: list[Waiting], decided: Decided | None = None, *, ahead: bool = False
    ) -> None:
        """Commits the batch; when others were faster decides again, at last while nobody else may append."""
        try:
            if await self._commit(batch, self._log, decided, ahead=ahead):
                return
            await asyncio.sleep(random.uniform(0, 0.01))
            if await self._commit(batch, self._log):
                return
            async with self._log.turn() as log:
                # The first decision may still rest on what was cached before the turn began, the next cannot.
                for _ in range(ATTEMPTS - 2):
                    if await self._commit(batch, log):
                        return
            _fail(batch, CommandConflictError("the aggregate kept changing; please try again"))
        except LogUnavailableError as unavailable:
            self._cache.forget(None)
            _fail(batch, unavailable)
        except Exception as fault:  # noqa: BLE001  # a defect concerns one command; the loop goes on for the others
            self._cache.forget(None)
            unanswered = [waiting for waiting in batch if not waiting.answer.done()]
            if len(unanswered) <= 1:
                _fail(unanswered, fault)
                return
            middle = len(unanswered) // 2
            await self._commit_with_retries(unanswered[:middle])
            await self._commit_with_retries(unanswered[middle:])

    async def _commit(
        self, batch: list[Waiting], log: EventLog, decided: Decided | None = None, *, ahead: bool = False
    ) -> bool:
        """One transaction. False after a conflict, with nothing recorded and nobody answered."""
        started = self._batch_since = monotonic()
        if self._position is None:
            self._position = await log.head()
        _, states, outcomes = decided or await self._deciding.decide(batch, log)
        appending = asyncio.ensure_future(log.append(states.events, self._position, states.looked_at))
        try:
            if ahead and len(self._queue) >= BATCH:
                await self._decide_ahead(states)
            first, self._position, changed = await appending
        except BaseException as failure:
            appending.cancel()
            self._drop_ahead()
            self._cache.forget(states.known)
            if not isinstance(failure, StaleError):
                raise
            self._cache.forget(failure.changed)
            self._position = failure.head
            if self._observer:
                self._observer.conflicted()
            return False
        _tell(outcomes, first, self._position)
        if self._ahead and (changed is None or not self._ahead.states.looked_at.isdisjoint(changed)):
            self._drop_ahead()
        self._cache.forget(changed)
        self._cache.keep(states.known)
        if self._observer:
            self._observer.batch_committed(len(batch), len(states.events), monotonic() - started, self._position)
        await self._snapshot(states)
        return True

    async def _decide_ahead(self, states: BatchStates) -> None:
        """Decides the next batch while this one is written. Only when a whole one is waiting, since a smaller one
        gains more by growing. It rests on what is not committed yet, so it is dropped when that fails."""
        await asyncio.sleep(0)  # the append begins
        self._cache.keep(states.known)  # all of them, or what they changed would be loaded as it was before
        batch = self._take()
        try:
            self._ahead = await self._deciding.decide(batch, self._log)
        except BaseException as fault:
            self._put_back(batch)
            if not isinstance(fault, Exception):  # a fault of its own shows when its turn comes
                raise

    def _drop_ahead(self) -> None:
        if self._ahead:
            self._put_back(self._ahead.batch)
            self._ahead = None

    async def _snapshot(self, states: BatchStates) -> None:
        due = {
            aggregate_id: loaded
            for aggregate_id, loaded in states.known.items()
            if loaded.decider.tail is None and loaded.version - loaded.snapshot_version >= loaded.decider.snapshot_every
        }
        if due:
            try:
                await self._log.snapshot(due)
            except LogUnavailableError:
                return  # the events are safe; a later batch takes the snapshot
            self._cache.keep({id: loaded._replace(snapshot_version=loaded.version) for id, loaded in due.items()})


def _tell(outcomes: Sequence[Outcome], first: int, head: int) -> None:
    for waiting, aggregate_id, version, offset, events, refusal, state in outcomes:
        if waiting.answer.done():
            continue
        if refusal is not None:
            waiting.answer.set_exception(refusal)
        elif events:
            start = first + offset
            waiting.answer.set_result(Receipt(aggregate_id, version, start + len(events) - 1, start, events, state))
        else:
            waiting.answer.set_result(Receipt(aggregate_id, version, head, state=state))


def _fail(batch: Iterable[Waiting], error: Exception) -> None:
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
