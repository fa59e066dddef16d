"""Tells which messages that a broker delivers again (DUP) were recorded before it learned of it.

At QoS 1 whoever dies between commit and acknowledgement is given the message again. Every event carries the digest
of its message as causation id, so the question is whether the log has it:

* Readings that all carry `value_at` are the same readings wherever their digest is found.
* Without times, two messages with equal digests may be two measurements, or one state told twice. Acknowledgements
  go out in the order of the commits, so what was committed and not acknowledged is the end of a device's stream of
  readings or of metrics (or of the one of `state:` messages) before this connection, and the beginning of what is
  delivered again. Only what fits that is a duplicate.

Limits, all on the side of recording twice rather than losing: the last events of today's and yesterday's
stream are looked at (256 more than were delivered again); the second rule needs the whole redelivery, and takes it
for complete when no more came for a quarter of a second; a message of several devices' readings, or one of
which only a refused part was delivered again, breaks the sequence.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache, partial
from uuid import UUID

from adapters.mqtt.backoff import delays
from adapters.mqtt.intake import Answer, Entry, Submit
from adapters.mqtt.messages import Readings, StateMessage
from adapters.mqtt.reports import Reports
from application.command import Receipt
from application.ports import Cause, CauseLog, Clock, LogUnavailableError
from domain.identifiers import readings_id, reports_id, state_messages_id

LOOKED_AT = 256
QUIET_SECONDS = 0.25
LONGEST_SECONDS = 5.0

StreamOfDay = Callable[[date], UUID]
FindOwner = Callable[[UUID], Awaitable[UUID | None]]


class Redelivery:
    """Use `run()` as a task for its whole life. `owner_of` names the device of a sensor."""

    def __init__(self, causes: CauseLog, owner_of: FindOwner, submit: Submit, clock: Clock) -> None:
        self._causes = causes
        self._owner_of = owner_of
        self._submit = submit
        self._clock = clock
        self._waiting: list[tuple[Entry, Answer]] = []
        self._arrived = asyncio.Event()

    def check(self, entry: Entry) -> Answer:
        """The answer to the message's command; None when it was recorded before."""
        answer: Answer = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, answer))
        self._arrived.set()
        return answer

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            await self._until_quiet()
            self._arrived.clear()
            waiting, self._waiting = self._waiting, []
            recorded = await self._recorded([entry for entry, _ in waiting])
            for index, (entry, answer) in enumerate(waiting):
                if index in recorded or entry.outcome is not None:  # the latter when it was abandoned meanwhile
                    answer.set_result(None)
                else:
                    self._pass_on(entry, answer)

    async def _until_quiet(self) -> None:
        loop = asyncio.get_running_loop()
        latest, seen = loop.time() + LONGEST_SECONDS, -1
        while seen != len(self._waiting) and loop.time() < latest:
            seen = len(self._waiting)
            await asyncio.sleep(QUIET_SECONDS)

    async def _recorded(self, entries: Sequence[Entry]) -> set[int]:
        for delay in delays():
            try:
                return await self._look_up(entries)
            except LogUnavailableError:
                await asyncio.sleep(delay)
        raise AssertionError("delays never end")

    async def _look_up(self, entries: Sequence[Entry]) -> set[int]:
        by_series: dict[StreamOfDay, list[int]] = defaultdict(list)
        for index, entry in enumerate(entries):
            if (series := await self._series_of(entry)) is not None:
                by_series[series].append(index)
        today = self._clock().date()
        days = {series: [series(today - timedelta(days=1)), series(today)] for series in by_series}
        causes = await self._causes.recent_causes(
            {day: LOOKED_AT + len(by_series[series]) for series in days for day in days[series]}
        )
        found: set[int] = set()
        for series, indexes in by_series.items():
            tail = [cause for day in days[series] for cause in causes[day]]
            found.update(_duplicates(tail, {index: entries[index] for index in indexes}))
        return found

    async def _series_of(self, entry: Entry) -> StreamOfDay | None:
        """The streams, one a day, that the message would be recorded on."""
        match entry.understood:
            case Readings(device_id=device_id, readings=readings):
                owner = device_id or await self._owner_of(readings[0].sensor_id)
                return _readings_of(owner) if owner else None
            case Reports(device_id=device_id):
                return _reports_of(device_id)
            case StateMessage():
                return state_messages_id
        return None

    def _pass_on(self, entry: Entry, answer: Answer) -> None:
        def copy(submitted: asyncio.Future[Receipt]) -> None:
            error = submitted.exception()
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(submitted.result())

        assert entry.command is not None
        try:
            self._submit(entry.command, entry.origin).add_done_callback(copy)
        except Exception as error:  # noqa: BLE001  # whatever refuses it now is what the intake must hear
            answer.set_exception(error)


@lru_cache(maxsize=16_384)  # so that the messages of one device have the same
def _readings_of(device_id: UUID) -> StreamOfDay:
    return partial(readings_id, device_id)


@lru_cache(maxsize=16_384)
def _reports_of(device_id: UUID) -> StreamOfDay:
    return partial(reports_id, device_id)


def _duplicates(tail: Sequence[Cause], redelivered: Mapping[int, Entry]) -> set[int]:
    entries = list(redelivered.values())
    here = entries[-1].message.session.id
    before = [cause.causation_id or "" for cause in tail if not cause.correlation_id.startswith(here)]
    beginning = recorded_before(before, [entry.digest for entry in entries])
    ever = {cause.causation_id for cause in tail}
    return {
        index
        for number, (index, entry) in enumerate(redelivered.items())
        if number < beginning or (_is_timed(entry) and entry.digest in ever)
    }


def _is_timed(entry: Entry) -> bool:
    match entry.understood:
        case Readings(readings=readings):
            return all(reading.value_at is not None for reading in readings)
    return False


def recorded_before(stream: Sequence[str], redelivered: Sequence[str]) -> int:
    """How many of the first redelivered are the end of the stream, in whatever order they stand there."""
    balance: Counter[str] = Counter()
    longest = 0
    for length, (recorded, delivered) in enumerate(zip(reversed(stream), redelivered, strict=False), 1):
        balance[recorded] += 1
        balance[delivered] -= 1
        for digest in (recorded, delivered):
            if balance[digest] == 0:
                del balance[digest]
        if not balance:
            longest = length
    return longest
