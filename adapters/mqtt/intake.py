"""Between the broker and the executor: every message in order, acknowledged once its events are committed.

While the log is away nothing is acknowledged and nothing thrown away: what was taken waits here, in order, and
is given to the executor again until the log is back.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from typing import Any, Literal

from adapters.mqtt.backoff import delays
from adapters.mqtt.messages import Understood
from adapters.mqtt.session import Arrived, Session
from application.command import Command, Receipt
from application.executor import CommandConflictError, Overloaded
from application.ports import LogUnavailableError
from domain.errors import DomainError
from domain.event import Origin

Answer = asyncio.Future[Receipt | None]
Submit = Callable[[Command, Origin], "asyncio.Future[Receipt]"]

# What passes by itself. Everything else that is no refusal is a defect, and may be one of this message alone.
PROBES = 100
_PASSING = (LogUnavailableError, Overloaded, CommandConflictError)


class Entry:
    """A message on its way. `answer` is None while nobody works on it; `outcome` is set when it is settled."""

    __slots__ = ("acknowledgements", "answer", "command", "message", "origin", "outcome", "understood")

    def __init__(self, message: Arrived, understood: Understood, command: Command | None, origin: Origin) -> None:
        self.message = message
        self.understood = understood
        self.command = command
        self.origin = origin
        self.answer: asyncio.Future[Receipt | None] | asyncio.Future[Receipt] | None = None
        self.outcome: Outcome | None = None
        self.acknowledgements = [(message.session, message.mid)] if message.qos else []

    @property
    def digest(self) -> str:
        return self.origin.causation_id or ""


Outcome = Receipt | DomainError | Exception | Literal["dropped", "duplicate"]
Settled = Callable[[Entry, Outcome], None]


class Intake:
    """Use `run()` as a task for its whole life, and `offer` for each message in the order of arrival.

    `submit` is the executor's. `settled` is told each outcome just before the acknowledgement: the receipt,
    the refusal, `dropped` (no command came of it), `duplicate`, or the defect that a message was given up for.
    """

    def __init__(self, submit: Submit, settled: Settled, troubled: Callable[[Exception], None]) -> None:
        self._submit = submit
        self._settled = settled
        self._troubled = troubled
        self._entries: deque[Entry] = deque()
        self._arrived = asyncio.Event()
        self._by_digest: dict[str, list[Entry]] = {}
        self._recovering = False
        self.size = 0  # bytes of payload not acknowledged yet

    def __len__(self) -> int:
        """How many messages are not acknowledged yet."""
        return len(self._entries)

    def offer(self, entry: Entry, answer: Answer | None = None) -> None:
        """Takes the next message on. `answer` is given when somebody else sees to its command (a duplicate?)."""
        if entry.command is None:
            entry.outcome = "dropped"
        elif answer is not None:
            entry.answer = answer
        elif not self._recovering:
            self._give(entry)
        self._entries.append(entry)
        self.size += len(entry.message.payload)
        if entry.digest:
            self._by_digest.setdefault(entry.digest, []).append(entry)
        self._arrived.set()

    def joined(self, message: Arrived, digest: str) -> bool:
        """Whether a redelivered message is one that is still here, and so is acknowledged together with it; or one
        whose acknowledgement was on its way when the broker grew impatient."""
        for entry in self._by_digest.get(digest, ()):
            here = [mid for session, mid in entry.acknowledgements if session is message.session]
            if message.mid in here:
                return True  # the broker grew impatient on the same connection
            if not here:
                entry.acknowledgements.append((message.session, message.mid))
                return True
        number = digest_number(digest)
        if message.session.has_acknowledged(message.mid, number):
            message.session.acknowledge([(message.mid, number)])
            return True
        return False

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            while self._entries:
                head = self._entries[0]
                if head.answer is not None and not head.answer.done():
                    await asyncio.wait((head.answer,))
                self._settle_done()
                if self._entries and self._entries[0].outcome is None and not _pending(self._entries[0]):
                    await self._recover()
            self._arrived.clear()

    async def drained(self, timeout: float) -> None:
        """Returns when everything taken so far is acknowledged, at the latest after `timeout` seconds."""
        waiting = [entry.answer for entry in self._entries if entry.answer is not None and not entry.answer.done()]
        if waiting:
            await asyncio.wait(waiting, timeout=timeout)
        if not self._recovering:
            self._settle_done()

    def abandon(self) -> None:
        """Leaves everything that is here to whoever has the session now and is given it again. Only for when no
        connection of ours is open, for what is left is settled like what was dropped."""
        for entry in self._entries:
            if entry.outcome is None:
                entry.outcome = "dropped"
                if entry.answer is not None:
                    entry.answer.add_done_callback(_look_at)
        self._settle_done()

    def _give(self, entry: Entry) -> None:
        assert entry.command is not None
        try:
            entry.answer = self._submit(entry.command, entry.origin)
        except (LogUnavailableError, Overloaded):
            entry.answer = None
            self._recovering = True  # those that follow must not overtake it

    def _settle_done(self) -> None:
        """Acknowledges from the front as far as all is settled: brokers want it in order."""
        settled: list[Entry] = []
        while self._entries and self._is_settled(self._entries[0]):
            settled.append(self._entries.popleft())
        self._acknowledge(settled)

    def _is_settled(self, entry: Entry) -> bool:
        if entry.outcome is None and entry.answer is not None and entry.answer.done() and not self._recovering:
            outcome = _outcome(entry)
            if not _unsettling(outcome):
                entry.outcome = outcome
        return entry.outcome is not None

    def _acknowledge(self, settled: Iterable[Entry]) -> None:
        acknowledgements: list[tuple[Session, tuple[int, int]]] = []
        for entry in settled:
            self._forget_digest(entry)
            self.size -= len(entry.message.payload)
            assert entry.outcome is not None
            self._settled(entry, entry.outcome)
            number = digest_number(entry.digest)
            acknowledgements += [(session, (mid, number)) for session, mid in entry.acknowledgements]
        for session, group in groupby(acknowledgements, key=lambda acknowledgement: acknowledgement[0]):
            session.acknowledge([message for _, message in group])

    def _forget_digest(self, entry: Entry) -> None:
        if entry.digest:
            same = self._by_digest[entry.digest]
            same.remove(entry)
            if not same:
                del self._by_digest[entry.digest]

    async def _recover(self) -> None:
        """After a failure: waits for all that is under way, then gives everything again, in order, with back-off.

        Only what was recorded counts as settled: a message that was refused or recorded nothing after a failure
        may have missed what the failed one before it says, such as the discovery of its sensors.
        """
        self._recovering = True
        # Again and again, for what is delivered again meanwhile comes with an answer that somebody else is finding out.
        while under_way := [entry.answer for entry in self._entries if entry.answer and not entry.answer.done()]:
            await asyncio.wait(under_way)
        for entry in self._entries:
            self._take_back(entry)
        self._settle_done()
        for delay in delays():
            if await self._probe():
                break
            await asyncio.sleep(delay)
        self._recovering = False
        for entry in self._entries:
            if entry.outcome is None and entry.answer is None and not self._recovering:
                self._give(entry)

    def _take_back(self, entry: Entry) -> None:
        if entry.answer is None or entry.outcome is not None:
            return
        outcome = _outcome(entry)
        entry.answer = None
        if outcome == "duplicate" or (isinstance(outcome, Receipt) and outcome.events):
            entry.outcome = outcome
        elif isinstance(outcome, Exception) and not isinstance(outcome, DomainError):
            self._troubled(outcome)

    async def _probe(self) -> bool:
        """Gives the first messages one at a time until one is recorded or refused. A defect met before that is then
        known to be the fault of the message itself, and the message is given up."""
        suspects: list[tuple[Entry, Exception]] = []
        for entry in list(islice(self._unsettled(), PROBES)):
            outcome = await self._try(entry)
            if not _unsettling(outcome):
                entry.outcome = outcome
                for suspect, fault in suspects:
                    suspect.outcome = fault
                return True
            assert isinstance(outcome, Exception)
            self._troubled(outcome)
            if isinstance(outcome, _PASSING):
                return False
            suspects.append((entry, outcome))
        return not any(self._unsettled())

    async def _try(self, entry: Entry) -> Outcome:
        assert entry.command is not None
        try:
            return await self._submit(entry.command, entry.origin)
        except Exception as error:  # noqa: BLE001  # every failure is an answer here; the caller tells them apart
            return error

    def _unsettled(self) -> Iterator[Entry]:
        """Those that nobody is working on."""
        return (entry for entry in self._entries if entry.outcome is None and not _pending(entry))


def digest_number(digest: str) -> int:
    """A digest as the number that a session remembers it by; 0 for none."""
    return int(digest or "0", 16)


def _look_at(answer: "asyncio.Future[Any]") -> None:
    """Or asyncio complains in the log that nobody did."""
    if not answer.cancelled():
        answer.exception()


def _pending(entry: Entry) -> bool:
    return entry.answer is not None and not entry.answer.done()


def _outcome(entry: Entry) -> Outcome:
    assert entry.answer is not None
    if entry.answer.cancelled():
        return LogUnavailableError("the command was given up")
    error = entry.answer.exception()
    if error is not None:
        return error if isinstance(error, Exception) else LogUnavailableError(str(error))
    return entry.answer.result() or "duplicate"


def _unsettling(outcome: Outcome) -> bool:
    return isinstance(outcome, Exception) and not isinstance(outcome, DomainError)
