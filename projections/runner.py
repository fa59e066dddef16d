"""Keeps the read models at the head of the log."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from time import monotonic
from typing import LiteralString, Protocol

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from application.ports import LogUnavailableError
from domain.event import Recorded
from projections.batch import Batch
from projections.feed import Feed
from projections.positions import CHANNEL, register
from projections.readmodel import ReadModel, Target

logger = logging.getLogger("tidemark.projections")

BATCH = 4_000

_LOCK: LiteralString = (
    "SELECT count(*) FROM (SELECT FROM projections WHERE name = ANY(%s) AND position = %s FOR UPDATE) p"
)
_MOVE: LiteralString = (
    "UPDATE projections SET position = %s, rate = %s, state = 'live', detail = '', updated_at = now()"
    " WHERE name = ANY(%s)"
)
_FAIL: LiteralString = "UPDATE projections SET state = 'failed', detail = %s, updated_at = now() WHERE name = %s"


class ProjectionObserver(Protocol):
    """Is told how far each read model has come."""

    def projected(self, name: str, position: int, events: int) -> None: ...


class MovedElsewhereError(Exception):
    """Another worker advanced the read model; what this one knows of it is old."""


@dataclass(eq=False)
class _Group:
    """The read models that advance together, all at `position`."""

    position: int
    models: dict[str, ReadModel]
    between_batches: asyncio.Lock = field(default_factory=asyncio.Lock)


FeedFactory = Callable[[], AbstractAsyncContextManager[Feed]]


class ProjectionRunner:
    """Applies events to the read models, rows and positions in one transaction.

    Models advance together, in one transaction for all. One that fails is taken out, tried again by itself while
    the others go on, and joins them when it has caught up; so does one that was just added.
    """

    def __init__(
        self,
        url: str,
        models: Iterable[type[ReadModel]],
        live_feed: FeedFactory,
        log_feed: FeedFactory,
        observer: ProjectionObserver | None = None,
    ) -> None:
        self._url = url
        self._models = {model.name: model for model in models}
        self._live_feed = live_feed
        self._log_feed = log_feed
        self._observer = observer

    async def run(self) -> None:
        """Runs until cancelled; survives the database being away."""
        while True:
            # In a task of its own: were it awaited here, a cancellation that meets a failure would be lost in the
            # group of failures that is raised instead, and nobody could stop us any more.
            following = asyncio.create_task(self._follow_all(), name="projections follow")
            try:
                await asyncio.wait({following})
            finally:
                following.cancel()
                await asyncio.wait({following})
            try:
                following.result()
            except* (psycopg.OperationalError, psycopg.InterfaceError, LogUnavailableError):
                logger.warning("the database is away; the projections go on when it is back")
            except* MovedElsewhereError:
                logger.info("another worker moved a read model; starting from the positions it left")
            await asyncio.sleep(0.5)

    async def _follow_all(self) -> None:
        async with await connect(self._url) as connection:
            known = await register(connection, self._models.values())
        front = max(known[name][1] for name in self._models)
        together = {name: model() for name, model in self._models.items() if known[name][1] == front}
        group = _Group(front, together)
        async with asyncio.TaskGroup() as tasks:
            for name in self._models:
                if name not in together:
                    tasks.create_task(self._catch_up(name, known[name][1], group))
            tasks.create_task(self._follow(group, tasks))

    async def _follow(self, group: _Group, tasks: asyncio.TaskGroup) -> None:
        async with self._live_feed() as feed, await connect(self._url) as connection:
            pace = _Pace()
            while True:
                events = await feed.after(group.position, BATCH, timeout=1.0)
                async with group.between_batches:
                    if not events or not group.models:
                        continue
                    try:
                        await self._apply(connection, group.models, group.position, events, pace)
                    except _PASSED_ON:
                        raise
                    except Exception:  # noqa: BLE001  # one model's defect; found out which by applying them one by one
                        for name in await self._apply_each(connection, group, events, pace):
                            tasks.create_task(self._catch_up(name, group.position, group))
                    group.position = events[-1].position

    async def _apply_each(
        self, connection: AsyncConnection[TupleRow], group: _Group, events: Sequence[Recorded], pace: "_Pace"
    ) -> list[str]:
        """Applies the batch to every model by itself and takes out of the group those that fail; returns them."""
        failed: list[str] = []
        for name, model in list(group.models.items()):
            try:
                await self._apply(connection, {name: model}, group.position, events, pace)
            except _PASSED_ON:
                raise
            except Exception as fault:  # noqa: BLE001  # whatever it is, it must not stop the other models
                del group.models[name]
                failed.append(name)
                await self._mark_failed(connection, name, fault)
        return failed

    async def _catch_up(self, name: str, position: int, group: _Group) -> None:
        """Brings one model to where the group is, and into it. Tries for ever."""
        pause = 1.0
        pace = _Pace()
        async with self._log_feed() as feed, await connect(self._url) as connection:
            model = self._models[name]()
            while True:
                try:
                    while group.position - position > BATCH:
                        position = await self._step(connection, name, model, position, feed, group.position, pace)
                    async with group.between_batches:
                        while position < group.position:
                            position = await self._step(connection, name, model, position, feed, group.position, pace)
                        group.models[name] = model
                        return
                except _PASSED_ON:
                    raise
                except Exception as fault:  # noqa: BLE001  # tried again for ever, visibly
                    await self._mark_failed(connection, name, fault)
                    model = self._models[name]()
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 60.0)

    async def _step(
        self,
        connection: AsyncConnection[TupleRow],
        name: str,
        model: ReadModel,
        position: int,
        feed: Feed,
        target: int,
        pace: "_Pace",
    ) -> int:
        events = await feed.after(position, min(BATCH, target - position), timeout=1.0)
        await self._apply(connection, {name: model}, position, events, pace)
        return events[-1].position

    async def _apply(
        self,
        connection: AsyncConnection[TupleRow],
        models: dict[str, ReadModel],
        position: int,
        events: Sequence[Recorded],
        pace: "_Pace",
    ) -> None:
        """One transaction. The rows of `projections` are locked first: a rebuild that is being swapped in waits,
        or is waited for."""
        names = list(models)
        head = events[-1].position
        async with connection.transaction():
            cursor = await connection.execute(_LOCK, (names, position))
            row = await cursor.fetchone()
            if row is None or row[0] != len(names):
                raise MovedElsewhereError(f"{names} are no longer at {position}")
            batch, to = Batch(events), Target(connection)
            for model in models.values():
                await model.apply(batch, to)
            await connection.execute(_MOVE, (head, pace.of(len(events)), names))
            await connection.execute(f"NOTIFY {CHANNEL}".encode())
        if self._observer:
            for name in names:
                self._observer.projected(name, head, len(events))

    async def _mark_failed(self, connection: AsyncConnection[TupleRow], name: str, fault: Exception) -> None:
        logger.error("the read model %s failed and is tried again by itself", name, exc_info=fault)
        await connection.execute(_FAIL, (f"{type(fault).__name__}: {fault}"[:500], name))


# Not a model's fault: the caller starts again from what the database says.
_PASSED_ON: tuple[type[Exception], ...] = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    LogUnavailableError,
    MovedElsewhereError,
)


class _Pace:
    """Events a second, smoothed over a few seconds."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._since = monotonic()
        self._events = 0

    def of(self, events: int) -> float:
        self._events += events
        elapsed = monotonic() - self._since
        if elapsed >= 1.0:
            self._rate = self._events / elapsed if not self._rate else (self._rate + self._events / elapsed) / 2
            self._since, self._events = monotonic(), 0
        return self._rate


async def connect(url: str) -> AsyncConnection[TupleRow]:
    """A connection for writing read models. They can always be computed again, and rows and position are lost
    together, so nothing waits for the disk."""
    return await AsyncConnection.connect(
        url,
        autocommit=True,
        connect_timeout=2,
        application_name="tidemark projections",
        options="-c synchronous_commit=off",
    )
