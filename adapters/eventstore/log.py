"""The port EventLog on PostgreSQL: the recorder in threads, states folded from what it reads."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import ParamSpec, TypeVar, cast
from uuid import UUID

import msgspec
import psycopg
from eventsourcing.persistence import StoredEvent

from adapters.eventstore.mapper import Mapper, persons_of
from adapters.eventstore.persons import NO_KEYS, Keys
from adapters.eventstore.recorder import InDoubtError, Insertion, LogDatastore, LogRecorder, Row
from application.ports import Appended, Cause, Loaded, LogUnavailableError, NewEvent, Ref, StaleError
from domain.decider import Decider
from domain.person import person_of
from domain.value import State, Value

P = ParamSpec("P")
T = TypeVar("T")


# How long a read waits behind a server that takes a connection and says nothing.
READ_SECONDS = 3.0
LOOK_AGAIN_SECONDS = 0.1


class PostgresEventLog:
    """Fills EventLog and CauseLog. Two threads, so that a load never waits for a commit.

    Reads are bounded in time. An append is not: it ends when it is known whether its events are in the log.
    """

    def __init__(self, url: str, mapper: Mapper, threads: int = 2) -> None:
        self._url = url
        self._datastore = LogDatastore(url)
        self._recorder = LogRecorder(self._datastore)
        self._mapper = mapper
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="event-log")

    async def __aenter__(self) -> "PostgresEventLog":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._datastore.interrupt()
        self._threads.shutdown(wait=True)
        self._datastore.close()

    async def append(self, events: Sequence[NewEvent], after: int, looked_at: Collection[UUID]) -> Appended:
        keys = await self._keys_to_write([new.event for new in events])
        rows = [Row(new.aggregate_id, new.version, new.event.topic, self._mapper.encode(new, keys)) for new in events]
        forgotten = _forgotten_in(events)
        inserted = await self._insert(rows, after, looked_at, forgotten)
        if inserted.stale:
            raise StaleError(inserted.head, inserted.changed)
        return Appended(inserted.first, inserted.head, inserted.changed)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator["PostgresEventLog"]:
        # One thread, hence one connection, which holds the lock: a lost connection gives the turn back.
        async with PostgresEventLog(self._url, self._mapper, threads=1) as log, AsyncExitStack() as stack:
            turn = log._recorder.turn()
            await log._in_thread(turn.__enter__)
            stack.push_async_callback(log._in_thread, turn.__exit__, None, None, None)
            yield log

    async def head(self) -> int:
        return await self._read(self._recorder.head)

    async def load(self, refs: Sequence[Ref]) -> Mapping[UUID, Loaded]:
        return await self._read(self._load, refs)

    async def snapshot(self, aggregates: Mapping[UUID, Loaded]) -> None:
        keys = await self._keys_to_write([loaded.state for loaded in aggregates.values() if loaded.state is not None])
        rows = [
            Row(id, loaded.version, loaded.decider.snapshot_topic, self._mapper.encode_snapshot(loaded, keys))
            for id, loaded in aggregates.items()
        ]
        await self._read(self._recorder.keep_snapshots, rows)

    async def recent_causes(self, streams: Mapping[UUID, int]) -> Mapping[UUID, Sequence[Cause]]:
        causes: dict[UUID, list[Cause]] = {id: [] for id in streams}
        for event in await self._read(self._recorder.tails, dict(streams)):
            stored = self._mapper.stored(event.state)
            causes[_uuid(event)].append(Cause(stored.causation_id, stored.correlation_id))
        return causes

    async def _keys_to_write(self, values: Iterable[Value]) -> Keys:
        persons = persons_of(values)
        return await self._in_thread(self._recorder.keys, persons, make=True) if persons else NO_KEYS

    async def _insert(
        self, rows: Sequence[Row], after: int, looked_at: Collection[UUID], forgotten: Collection[UUID]
    ) -> Insertion:
        """Once more when the connection was lost and nothing had been committed."""
        try:
            return await self._in_thread(self._recorder.insert, rows, after, looked_at, forgotten)
        except InDoubtError:
            if committed := await self._look_up(rows):
                return committed
        try:
            return await self._in_thread(self._recorder.insert, rows, after, looked_at, forgotten)
        except InDoubtError as lost:
            if committed := await self._look_up(rows):
                return committed
            raise LogUnavailableError("the connection to the event log is lost again and again") from lost

    async def _look_up(self, rows: Sequence[Row]) -> Insertion | None:
        """Waits for as long as the log cannot be asked: whoever was told that nothing is stored may store it again."""
        while True:
            try:
                return await self._in_thread(self._recorder.committed, rows)
            except LogUnavailableError:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _read(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """For what changes nothing that matters: given up when the answer does not come."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await self._in_thread(call, *args, **kwargs)
        except TimeoutError as silence:
            raise LogUnavailableError("the event log does not answer") from silence

    async def _in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, lambda: call(*args, **kwargs))
        except psycopg.errors.UniqueViolation as taken:
            raise StaleError(await self.head(), None) from taken
        except (psycopg.OperationalError, psycopg.InterfaceError) as unavailable:
            raise LogUnavailableError("the event log cannot be reached") from unavailable

    def _load(self, refs: Sequence[Ref]) -> dict[UUID, Loaded]:
        by_id = {ref.id: ref for ref in refs}
        loaded = {ref.id: Loaded(ref.decider, None, 0) for ref in refs}
        whole = [ref for ref in refs if ref.decider.tail is None]
        tails = {ref.id: max(ref.decider.tail, 1) for ref in refs if ref.decider.tail is not None}
        if whole:
            since = self._snapshots_of(whole, loaded)
            events = self._recorder.histories([ref.id for ref in whole if ref.id not in since])
            if since:
                events += self._recorder.histories_since(since)
            self._fold(by_id, events, loaded)
        if tails:
            self._fold(by_id, self._recorder.tails(tails), loaded)
        return loaded

    def _snapshots_of(self, refs: Sequence[Ref], loaded: dict[UUID, Loaded]) -> dict[UUID, int]:
        """Starts `loaded` from the snapshots there are; returns their versions."""
        versions: dict[UUID, int] = {}
        by_id = {ref.id: ref for ref in refs}
        snapshots = [
            kept
            for kept in self._recorder.latest_snapshots(list(by_id))
            if kept.topic == by_id[_uuid(kept)].decider.snapshot_topic
        ]
        persons = (self._mapper.person_in_snapshot(by_id[_uuid(kept)], kept.state) for kept in snapshots)
        keys = self._recorder.keys({person for person in persons if person is not None})
        for kept in snapshots:
            id, version = _uuid(kept), kept.originator_version
            try:
                state = self._mapper.decode_snapshot(by_id[id], kept.state, keys)
            except msgspec.ValidationError:
                continue  # the state's class has changed since: the events tell it all
            loaded[id] = Loaded(by_id[id].decider, state, version, version)
            versions[id] = version
        return versions

    def _fold(self, by_id: Mapping[UUID, Ref], events: Sequence[StoredEvent], loaded: dict[UUID, Loaded]) -> None:
        histories: dict[UUID, list[StoredEvent]] = defaultdict(list)
        for event in events:
            histories[_uuid(event)].append(event)
        keys = self._recorder.keys(self._mapper.persons_in((event.topic, event.state) for event in events))
        for id, history in histories.items():
            decider = by_id[id].decider
            before = loaded[id]
            last = history[-1]
            if not last.topic.startswith(f"{decider.name}."):
                # The id names an aggregate of another kind. Whoever loads it learns so from the decider.
                loaded[id] = Loaded(_FOREIGN, None, last.originator_version)
                continue
            kept = history if decider.tail is None else history[len(history) - decider.tail :]
            state = decider.fold((self._mapper.event(e.topic, e.state, keys) for e in kept), before.state)
            loaded[id] = Loaded(decider, state, last.originator_version, before.snapshot_version)


def _forgotten_in(events: Iterable[NewEvent]) -> Collection[UUID]:
    persons = {person_of(new.event) for new in events if new.event.forgets}
    return {person for person in persons if person is not None}


def _uuid(event: StoredEvent) -> UUID:
    return cast("UUID", event.originator_id)  # the column is a uuid; the library also allows texts


# Stands for whatever kind an aggregate really is when it is asked for as another.
_FOREIGN: Decider[State] = Decider("", State, lambda state, event: state)
