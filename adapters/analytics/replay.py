"""What would have happened under another rule, beside what did: history, or a part of it, through a rule in a process
that can do nothing else."""

import asyncio
import os
import signal
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, Literal

import msgspec

from adapters.analytics.log_pages import LogPages, StoredRow
from adapters.analytics.query import ended, ended_by_itself, sandboxed
from adapters.analytics.wire import ReplayOutcome, ReplayRequest, Would, framed, frames_in
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import LogRow
from adapters.eventstore.shown import shown
from domain.value import Value

READ = 5_000
# Several processes append, each with its own clock: so many events around are looked at for their times.
AROUND = 10_000


class ReplayError(Exception):
    """The rule was not run to the end of history; the text says to whoever wrote it why not."""


class ReplayTooLargeError(ReplayError):
    """It took more time or memory than it may."""


class ReplayEndedError(ReplayError):
    """Its process ended by itself, which says nothing of the rule."""


@dataclass(frozen=True)
class ReplayLimits:
    """Seconds, bytes of memory, and how many outcomes are told in full."""

    seconds: float = 3_600.0
    memory: int = 512 * 1024**2
    outcomes: int = 1_000


@dataclass(frozen=True)
class Selection:
    """Which part of history. `beside` are beginnings of topics: what did happen, to be told beside what would have."""

    context: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    beside: tuple[str, ...] = ("devices.command.issued", "devices.device.status_changed")


class Replayed(Value):
    """`did` are the first of the events that did happen, as the log shows them."""

    events: int
    would_count: int
    would: tuple[Would, ...]
    did_count: int
    did: tuple[msgspec.Raw, ...]
    state: Any


Tell = Callable[[int, int, float], None]
"""Position, last position, events a second."""


class Replay:
    """One replay, on a connection of its own."""

    def __init__(self, url: str, mapper: Mapper, selection: Selection, limits: ReplayLimits) -> None:
        self._url = url
        self._mapper = mapper
        self._selection = selection
        self._limits = limits
        self._is_plain: dict[str, bool] = {}
        self._did: list[msgspec.Raw] = []
        self._did_count = 0

    async def run(
        self, kind: Literal["python", "thresholds"], rule: str, tell: Tell = lambda *progress: None
    ) -> Replayed:
        """Raises ReplayError and LogUnavailableError. Who is cancelled leaves nothing behind."""
        limits = self._limits
        request = ReplayRequest(kind, rule, limits.memory, limits.seconds, limits.outcomes)
        how = sandboxed("adapters.analytics.rule_runner")
        process = await asyncio.create_subprocess_exec(
            *how["args"],
            env=how["env"],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        assert process.stdin is not None
        assert process.stdout is not None
        hearing = asyncio.create_task(process.stdout.read())
        try:
            async with asyncio.timeout(limits.seconds):
                await self._feed(process.stdin, framed(msgspec.json.encode(request)), tell)
                told = await hearing
                status = await process.wait()
        except TimeoutError:
            raise ReplayTooLargeError(f"It took longer than {limits.seconds:g} s: replay a shorter time") from None
        finally:
            hearing.cancel()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await ended(process)
        outcome = _understood(told, status)
        return Replayed(
            events=outcome.events,
            would_count=outcome.would_count,
            would=tuple(outcome.would),
            did_count=self._did_count,
            did=tuple(self._did),
            state=outcome.state,
        )

    async def _feed(self, pipe: asyncio.StreamWriter, request: bytes, tell: Tell) -> None:
        """A rule that failed has closed the pipe, and says why at its end."""
        with suppress(BrokenPipeError, ConnectionResetError):
            pipe.write(request)
            async for page in self._pages(tell):
                pipe.write(framed(b"[" + b",".join(page) + b"]"))
                await pipe.drain()
            pipe.write(framed(b""))
            await pipe.drain()
        pipe.close()

    async def _pages(self, tell: Tell) -> AsyncIterator[Sequence[bytes]]:
        with LogPages(self._url) as pages:
            head = await asyncio.to_thread(pages.head)
            first, last = await asyncio.to_thread(self._bounds, pages, head)
            started = monotonic()
            reading = _reading(pages, first, last)
            try:
                while rows := await reading:
                    position = int(rows[-1][0])
                    reading = _reading(pages, position, last)
                    if page := await asyncio.to_thread(self._selected, rows):
                        yield page
                    tell(position, last, (position - first) / max(monotonic() - started, 1e-6))
            finally:
                await asyncio.wait([reading])  # a thread has the connection until then

    def _bounds(self, pages: LogPages, head: int) -> tuple[int, int]:
        """Behind which position it begins, and with which it ends, roughly: the times decide."""

        def at(position: int) -> datetime:
            (row,) = pages.rows(position - 1, 1)
            return self._mapper.stored(row[4]).at

        positions = range(1, head + 1)
        since, until = self._selection.since, self._selection.until
        first = max(0, bisect_left(positions, since, key=at) - AROUND) if since else 0
        last = min(head, bisect_left(positions, until, key=at) + AROUND) if until else head
        return first, last

    def _selected(self, rows: Sequence[StoredRow]) -> Sequence[bytes]:
        chosen, selection = [], self._selection
        prefix = f"{selection.context}." if selection.context else ""
        for row in rows:
            topic: str = row[3]
            is_beside = topic.startswith(selection.beside) if selection.beside else False
            if not (is_beside or topic.startswith(prefix)) or not self._is_in_time(row[4]):
                continue
            told = self._shown(row)
            if is_beside:
                self._did_count += 1
                if len(self._did) < self._limits.outcomes:
                    self._did.append(msgspec.Raw(told))
            if topic.startswith(prefix):
                chosen.append(told)
        return chosen

    def _is_in_time(self, state: bytes) -> bool:
        since, until = self._selection.since, self._selection.until
        if since is None and until is None:
            return True
        at = self._mapper.stored(state).at
        return (since is None or at >= since) and (until is None or at < until)

    def _shown(self, row: StoredRow) -> bytes:
        """Most events are told as they are stored, with what stands beside them in front."""
        position, aggregate_id, version, topic, state = row
        plain = self._is_plain.get(topic)
        if plain is None:
            plain = self._is_plain[topic] = self._mapper.is_public(topic)
        if not plain:
            return shown(LogRow._make(row), self._mapper).json
        beside = f'{{"position":{position},"topic":"{topic}","aggregate_id":"{aggregate_id}","version":{version},'
        told: bytes = beside.encode() + state[1:]
        return told


def _reading(pages: LogPages, after: int, last: int) -> "asyncio.Task[Sequence[StoredRow]]":
    return asyncio.create_task(asyncio.to_thread(pages.rows, after, min(READ, last - after)))


def _understood(told: bytes, status: int) -> ReplayOutcome:
    try:
        (frame,) = frames_in(told)
        outcome = msgspec.json.decode(frame, type=ReplayOutcome)
    except (EOFError, ValueError):
        if status < 0 and status != -signal.SIGXCPU:
            raise ReplayEndedError(ended_by_itself(status)) from None
        raise ReplayTooLargeError(
            f"The rule took more of this machine than it may, or ended itself ({status})"
        ) from None
    if outcome.refused == "limit":
        raise ReplayTooLargeError(outcome.message)
    if outcome.refused:
        raise ReplayError(outcome.message)
    return outcome
