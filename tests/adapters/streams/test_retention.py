"""Days that are over are closed, archived or dropped; what is kept stays as it was."""

import json
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import cramjam
import msgspec
import psycopg
import pytest

from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from adapters.streams.values import LogValues
from application.executor import CommandExecutor
from application.ports import NewEvent
from application.streams.consumer import RegisterConsumer
from application.streams.messages import Place
from application.streams.retention import Retaining
from application.streams.topic import SetRetention
from domain.catalogue import CATALOGUE
from domain.event import Envelope
from domain.identifiers import partition_id
from domain.streams.group import Group
from domain.streams.partition import START, MessagesProduced
from domain.streams.topic import DayClosed, Retention
from entrypoints.composition import write_path
from projections.database import Database
from projections.positions import Positions
from projections.rebuild import rebuild
from projections.streams.messages import MessageQueries
from projections.streams.retained import RetainedTopicQueries
from projections.streams.topics import TopicQueries, Topics
from tests.facts import ORIGIN
from tests.projections.conftest import running

TODAY = date(2026, 11, 27)
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
NAME = "orders/2026"  # also the archive has to be able to call it something


def fill(url: str, days: int, partition: int = 0, each: int = 3) -> None:
    """`each` entries of two messages on each of the days up to today."""
    mapper = Mapper(CATALOGUE)
    with psycopg.connect(url) as connection:
        (head,) = connection.execute("SELECT coalesce(max(notification_id), 0) FROM events").fetchone() or (0,)
        for number in range(days * each):
            at = NOON - timedelta(days=days - 1 - number // each)
            event = MessagesProduced(
                name=NAME,
                partition=partition,
                entry=number + 1,
                offset=2 * number,
                count=2,
                values=msgspec.Raw(f'[{{"n":\n{2 * number}}},"{at.date()}"]'.encode()),
            )
            envelope = Envelope(id=uuid4(), at=at, actor="a", source="http", correlation_id="c")
            stream = partition_id(NAME, partition)
            state = mapper.encode(NewEvent(stream, number + 1, event, envelope))
            connection.execute(
                "INSERT INTO events VALUES (%s, %s, %s, %s, %s)",
                (stream, number + 1, event.topic, state, head + number + 1),
            )
        connection.execute("NOTIFY events")


class Keeper:
    def __init__(self, url: str, database: Database, positions: Positions, executor: CommandExecutor) -> None:
        self.topics = TopicQueries(database)
        self.positions = positions
        self.executor = executor
        self.url = url
        self.messages = MessageQueries(database, lambda *_: (NOON, b""))

    async def keep(self, retention: Retention, archive: Path | None = None) -> None:
        await self.executor.execute(SetRetention(name=NAME, retention=retention), ORIGIN)
        await self.once(archive)

    async def once(self, archive: Path | None = None) -> None:
        topics = RetainedTopicQueries(self.topics, self.positions)
        await Retaining(
            self.executor, topics, LogValues(self.url, archive), lambda: NOON, can_archive=archive is not None
        ).close_days()
        await self.positions.fresh("topics")

    async def read(self, partition: int = 0) -> Sequence[tuple[int, Any]]:
        found: list[tuple[int, Any]] = []
        place = Place(NAME, partition, START)
        while batches := await self.messages.read([place], 1_000_000):
            for run in batches[0].runs:
                found += enumerate(json.loads(b"[" + run.values + b"]"), run.offset)
            place = place._replace(at=batches[0].until)
        return found

    async def days(self) -> set[date]:
        return {row.day for row in await self.topics.list_days(NAME)}


@pytest.fixture
async def keeper(database_url: str) -> Any:
    async with (
        Database(database_url) as database,
        Positions(database, patience=10).running() as positions,
        running(database_url),
        write_path(database_url) as (executor, _),
    ):
        yield Keeper(database_url, database, positions, executor)


async def test_what_is_older_than_is_kept_is_dropped(keeper: Keeper) -> None:
    fill(keeper.url, days=5)
    before = await keeper.read()
    await keeper.keep(Retention(max_age_days=2))
    assert await keeper.days() == {TODAY - timedelta(days=n) for n in range(3)}
    assert await keeper.read() == before[12:]
    (row,) = await keeper.topics.list_partitions([NAME])
    assert (row.first_offset, row.first_entries, row.messages) == (12, 6, 30)
    assert row.bytes == sum(day.bytes for day in await keeper.topics.list_days(NAME))
    with psycopg.connect(keeper.url) as connection:
        stored = [state for (state,) in connection.execute("SELECT state FROM events ORDER BY notification_id")]
    assert b"2026-11-23" not in b"".join(state.split(b'"data"')[1] for state in map(bytes, stored[:3]))


async def test_a_size_lets_the_oldest_days_go_whatever_partition_they_are_of(keeper: Keeper) -> None:
    fill(keeper.url, days=4)
    fill(keeper.url, days=2, partition=3)
    sizes = [row.bytes for row in await _fresh_days(keeper)]
    await keeper.keep(Retention(max_bytes=sum(sizes) - 1))
    assert await keeper.days() == {TODAY - timedelta(days=n) for n in range(3)}
    assert len(await keeper.read(3)) == 12
    await keeper.keep(Retention(max_bytes=1))
    assert await keeper.days() == {TODAY}, "today is always kept"
    assert [offset for offset, _ in await keeper.read()] == list(range(18, 24))
    assert [offset for offset, _ in await keeper.read(3)] == list(range(6, 12))


async def _fresh_days(keeper: Keeper) -> Sequence[Any]:
    await keeper.positions.fresh("topics")
    return await keeper.topics.list_days(NAME)


async def test_what_is_archived_is_in_a_file_for_each_day(keeper: Keeper, tmp_path: Path) -> None:
    fill(keeper.url, days=3)
    before = await keeper.read()
    await keeper.keep(Retention(max_age_days=1, disposal="archive"))
    assert await keeper.read() == before, "nowhere to put it, so it is kept"
    await keeper.once(tmp_path)
    assert await keeper.read() == before[6:]
    file = tmp_path / "orders%2F2026" / f"{TODAY - timedelta(days=2)}.ndjson.zst"
    lines = bytes(cramjam.zstd.decompress(file.read_bytes())).splitlines()
    kept = [json.loads(line) for line in lines]
    assert [(one["offset"], one["value"]) for one in kept] == before[:6]
    assert {(one["partition"], one["at"]) for one in kept} == {(0, "2026-11-25T12:00:00Z")}
    assert os.listdir(file.parent) == [file.name]


async def test_what_was_interrupted_is_finished(keeper: Keeper, tmp_path: Path) -> None:
    fill(keeper.url, days=3)
    values = LogValues(keeper.url, tmp_path)

    class Interrupted(LogValues):
        async def remove(self, name: str, first: Any) -> int:
            raise OSError("killed")

    await keeper.executor.execute(SetRetention(name=NAME, retention=Retention(max_age_days=1)), ORIGIN)
    topics = RetainedTopicQueries(keeper.topics, keeper.positions)
    with pytest.raises(OSError, match="killed"):
        await Retaining(
            keeper.executor, topics, Interrupted(keeper.url, None), lambda: NOON, can_archive=False
        ).close_days()
    assert len(await keeper.read()) == 18
    await keeper.once()
    assert len(await keeper.read()) == 12
    (closed,) = await _closed(keeper.url)
    assert await values.remove(NAME, closed.first) == 0, "it is taken out once"


async def _closed(url: str) -> list[DayClosed]:
    mapper = Mapper(CATALOGUE)
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT topic, state FROM events WHERE topic = %s", (DayClosed.topic,)).fetchall()
    events = [mapper.event(topic, state) for topic, state in rows]
    return [event for event in events if isinstance(event, DayClosed)]


async def test_a_new_group_begins_with_what_is_kept(keeper: Keeper) -> None:
    fill(keeper.url, days=3)
    await keeper.keep(Retention(max_age_days=1))
    receipt = await keeper.executor.execute(
        RegisterConsumer(consumer_id="c", actor="a", group="g", topics=(NAME,), from_earliest=True, head=0), ORIGIN
    )
    group = receipt.state
    assert isinstance(group, Group)
    assert [line.committed.offset for line in group.lines[NAME]] == [6, 0, 0, 0]


async def test_the_read_model_is_the_same_when_it_is_computed_anew(keeper: Keeper) -> None:
    fill(keeper.url, days=4)
    await keeper.keep(Retention(max_age_days=1))
    before = await keeper.topics.list_partitions([NAME]), await keeper.topics.list_days(NAME)
    async with PostgresLogReader(keeper.url, Mapper(CATALOGUE)) as reader:
        await rebuild(keeper.url, [Topics], reader)
    assert (await keeper.topics.list_partitions([NAME]), await keeper.topics.list_days(NAME)) == before
