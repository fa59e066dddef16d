"""Topics and groups as they are shown are what the domain makes of the events, also when they are computed anew."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from application.streams.messages import Place
from domain.event import Event
from domain.identifiers import group_id, partition_id, topic_id
from domain.streams.group import GROUP, Delivery, Group, MessagesDelivered, Outcome, join, leave, owned, poll
from domain.streams.partition import START, MessagesProduced, Offsets
from domain.streams.topic import DayClosed, Retention, RetentionSet
from projections.database import Database
from projections.positions import Positions
from projections.streams.groups import GroupQueries
from projections.streams.messages import MessageQueries
from projections.streams.places import PlaceQueries
from projections.streams.topics import TopicQueries
from tests.projections.history import START as BEGAN
from tests.projections.history import append, as_of

ROOM = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def entry(name: str, partition: int, number: int, offset: int, count: int) -> tuple[UUID, Event]:
    values = Raw(b"[" + b",".join(b"%d" % n for n in range(count)) + b"]")
    return partition_id(name, partition), MessagesProduced(
        name=name, partition=partition, entry=number, offset=offset, count=count, values=values
    )


def entries(name: str, partition: int, *counts: int) -> list[tuple[UUID, Event]]:
    return [entry(name, partition, number, sum(counts[: number - 1]), count) for number, count in enumerate(counts, 1)]


async def test_a_topic_tells_what_is_in_its_partitions(
    database: Database, positions: Positions, runner: asyncio.Task[None], database_url: str
) -> None:
    append(database_url, *entries("t", 0, 3, 1), *entries("t", 2, 5), *entries("u", 1, 1))
    assert (await positions.fresh("topics")).fresh
    queries = TopicQueries(database)
    rows = await queries.list_partitions(["t"])
    assert [(row.partition, row.messages, row.entries, row.first_offset) for row in rows] == [
        (0, 4, 2, 0),
        (2, 5, 1, 0),
    ]
    assert [row.bytes for row in rows] == [len("[0,1,2]") + len("[0]"), len("[0,1,2,3,4]")]
    assert rows[0].last_at == BEGAN + timedelta(seconds=1)
    assert await queries.list_names("", 10) == ["t", "u"]
    assert await queries.list_names("t", 10) == ["u"]
    assert [(row.partition, row.messages) for row in await queries.list_days("t")] == [(0, 4), (2, 5)]


async def test_the_rate_fades_when_nothing_comes(
    database: Database, positions: Positions, runner: asyncio.Task[None], database_url: str
) -> None:
    append(database_url, *entries("t", 0, *[1] * 60))
    assert (await positions.fresh("topics")).fresh
    (row,) = await TopicQueries(database).list_partitions(["t"])
    assert 0.5 < row.rate_at(row.last_at) < 1.01, "one a second, as of the last minute"
    assert row.rate_at(row.last_at + timedelta(minutes=10)) < 0.001


async def test_a_group_of_many_events_is_told_as_it_was_at_each_of_them(
    database: Database, positions: Positions, runner: asyncio.Task[None], database_url: str
) -> None:
    events = [*join(None, "g", "c", ("t",), {"t": (START,) * 4})]
    events += [delivered(number) for number in range(150)]
    ended = append(database_url, *[(group_id("g"), event) for event in events])
    assert (await positions.fresh("groups")).fresh
    for number in range(1, len(events) + 1):
        with as_of(ended - len(events) + number):
            assert await GroupQueries(database).find("g") == GROUP.fold(events[:number], None)


def delivered(number: int) -> Event:
    handed = Delivery(name="t", partition=number % 4, start=START, until=Offsets(offset=number))
    return MessagesDelivered(id=UUID(int=number), group="g", consumer_id="c", deliveries=(handed,))


async def test_topics_are_told_as_they_were_at_every_position(
    database: Database, positions: Positions, runner: asyncio.Task[None], database_url: str
) -> None:
    """Their messages, sizes, rates and retention, also after days were closed."""
    queries, said = TopicQueries(database), []
    numbers: Counter[tuple[str, int]] = Counter()
    for step in range(40):
        name, partition = f"t{step % 3}", step % 2
        number = numbers[name, partition] = numbers[name, partition] + 1
        fact = entry(name, partition, number, (number - 1) * 2, 2)
        if step == 20:
            fact = topic_id(name), RetentionSet(name=name, retention=Retention(max_age_days=1))
        elif step in (21, 30):
            first = tuple(Offsets(offset=step // 10, entries=1) for _ in range(4))
            fact = topic_id("t0"), DayClosed(name="t0", day=BEGAN.date(), first=first)
        position = append(database_url, fact)
        assert (await positions.fresh("topics")).fresh
        said.append((position, await everything_of(queries)))
    for position, then in said:
        with as_of(position):
            assert await everything_of(queries) == then


async def everything_of(queries: TopicQueries) -> object:
    names = await queries.list_names("", 100)
    return names, await queries.list_partitions(names), [await queries.retention(name) for name in ("t0", "t1", "t2")]


@ROOM
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["join", "poll", "poll again", "leave"]), st.sampled_from("abc")), max_size=12
    )
)
async def test_a_group_is_shown_as_the_domain_has_it(
    database: Database,
    positions: Positions,
    runner: asyncio.Task[None],
    database_url: str,
    steps: list[tuple[str, str]],
) -> None:
    name = f"g-{uuid4().hex}"
    group, position = None, append(database_url, *entries(f"t-{name}", 0, 1))
    said: list[tuple[int, Group | None]] = [(position, None)]
    for step, consumer in steps:
        events: Sequence[Event] = ()
        if step == "join":
            events = join(group, name, consumer, ("t",), {"t": (START,) * 4})
        elif group is not None and consumer in group.members:
            unsettled = group.unsettled(consumer)
            outcome = None if unsettled is None else Outcome(id=unsettled, arrived=step != "poll again")
            deliveries = [
                Delivery(name=topic, partition=partition, start=at, until=Offsets(offset=at.offset + 1))
                for topic, partition, line in owned(group, consumer)
                for at in [line.next_for(consumer, outcome)]
            ]
            if step == "leave":
                events = leave(group, consumer, "goodbye", commit=True, outcome=outcome)
            else:
                events = poll(group, consumer, outcome, uuid4(), deliveries)
        if events:
            position = append(database_url, *[(group_id(name), event) for event in events])
            group = GROUP.fold(events, group)
        said.append((position, group))
    assert (await positions.fresh("groups")).fresh
    queries = GroupQueries(database)
    assert await queries.find(name) == group
    for position, then in said:
        with as_of(position):
            assert await queries.find(name) == then
            listed = [one for one in await queries.list("", 1_000) if one.name == name]
            assert [one.members for one in listed] == ([] if then is None else [then.members])


async def test_a_place_is_found_by_offset_and_by_time(database: Database, database_url: str) -> None:
    counts = (3, 1, 4, 1, 5)
    append(database_url, *entries("t", 0, *counts))
    places = PlaceQueries(database)
    for offset in range(sum(counts)):
        before = sum(1 for number in range(len(counts)) if sum(counts[: number + 1]) <= offset)
        assert await places.at_offset("t", 0, offset) == Offsets(offset=offset, entries=before)
    end = Offsets(offset=sum(counts), entries=len(counts))
    assert await places.at_offset("t", 0, 99) == await places.latest("t", 0) == end
    for number in range(len(counts)):
        found = await places.at_time("t", 0, BEGAN + timedelta(seconds=number))
        assert found == Offsets(offset=sum(counts[:number]), entries=number)
    assert await places.at_time("t", 0, BEGAN + timedelta(days=1)) == end
    assert await places.latest("t", 3) == await places.at_offset("t", 3, 7) == START
    assert await places.at_time("$events.streams", 0, BEGAN + timedelta(seconds=2)) == Offsets(offset=3)


async def test_the_events_of_a_context_are_found_however_many_others_are_between(
    database: Database, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO events SELECT gen_random_uuid(), 1, CASE WHEN n IN (5, 45000) THEN 'devices.device.removed.v1'"
            " ELSE 'identity.user.enabled.v1' END, '', n FROM generate_series(1, 70000) n"
        )
    messages = MessageQueries(database, lambda position, *_: (BEGAN, b"%d" % position))
    name = "$events.devices"
    (first,) = await messages.read([Place(name, 0, START)], 1_000_000)
    assert [run.values for run in first.runs] == [b"5"]
    (second,) = await messages.read([Place(name, 0, first.until)], 1_000_000)
    assert [(run.offset, run.values) for run in second.runs] == [(45_000, b"45000")]
    assert await messages.read([Place(name, 0, second.until)], 1_000_000) == []
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO events VALUES (gen_random_uuid(), 1, 'devices.device.removed.v1', '', 70001)")
    (third,) = await messages.read([Place(name, 0, second.until)], 1_000_000)
    assert [run.values for run in third.runs] == [b"70001"]
