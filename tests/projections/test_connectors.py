"""Connectors, clients and things as they are listed, and what the worker is told of changes."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from domain.catalogue import CATALOGUE
from domain.connectors.action import ActionAsked, ActionCompleted, ActionFailed
from domain.connectors.client import (
    ClientAdmitted,
    ClientCreated,
    ClientFailed,
    ClientRedirected,
    ClientRemoved,
    ClientResumed,
    ClientStarted,
)
from domain.connectors.instance import InstanceCreated, InstanceInstalled, InstanceRemoved
from domain.connectors.properties import PropertiesUpdated, PropertyValue
from domain.connectors.publication import ConnectorPublished, ConnectorWithdrawn, PublishedConnector
from domain.connectors.thing import (
    Action,
    Component,
    Property,
    ThingDescription,
    ThingMade,
    ThingRedescribed,
    ThingRemoved,
    ThingStatusChanged,
)
from domain.event import Event, Recorded
from domain.identifiers import properties_id, thing_stream_id
from projections.batch import Batch
from projections.connectors.connector_queries import ConnectorQueries
from projections.connectors.connectors import Connectors
from projections.connectors.thing_queries import ThingQueries
from projections.connectors.things import Things
from projections.database import Database
from projections.positions import Positions
from projections.readmodel import Target
from projections.rebuild import rebuild
from projections.runner import connect
from tests.persons import PERSON
from tests.projections.history import START, append, as_of

INSTANCE, OTHER_INSTANCE = UUID(int=1), UUID(int=2)
CLIENT, OTHER_CLIENT = UUID(int=11), UUID(int=12)
THING = UUID(int=21)
ACTION = UUID(int=31)
PUBLICATION = UUID(int=41)

LAMP = ThingDescription(
    name="Lamp",
    manufacturer="Tidemark",
    display_type="LAMP",
    main_component_id="lamp",
    components=(
        Component(
            id="lamp",
            name="Lamp",
            component_type="core.Lamp",
            properties=(Property(id="level", name="Level", type="NUMBER"),),
            actions=(Action(id="setLevel"),),
        ),
    ),
)

Fact = tuple[UUID, Event]
Step = tuple[int, date, str, str] | int
Record = Callable[..., Awaitable[None]]


def instance_created(id: UUID = INSTANCE, owner: str = "o1", type_id: str = "simulator") -> Fact:
    return id, InstanceCreated(owner=owner, type_id=type_id, configuration={"seed": 42}, sealed="1:c2VhbGVk")


def client_created(id: UUID = CLIENT, subject: str = "s1", owner: str = "o1") -> Fact:
    return id, ClientCreated(
        person=PERSON,
        owner=owner,
        subject=subject,
        type_id="simulator",
        instance_id=INSTANCE,
        configuration={"things": 2},
    )


def thing_made(id: UUID = THING, subject: str = "s1") -> Fact:
    return thing_stream_id(id), ThingMade(
        person=PERSON,
        thing_id=id,
        owner="o1",
        subject=subject,
        connector_thing_id="sim-1",
        description=LAMP,
        status="AVAILABLE",
        client_id=CLIENT,
    )


def updated(value: str, id: UUID = THING) -> Fact:
    told = PropertyValue(component_id="lamp", property_id="level", value=value)
    return properties_id(id, START.date()), PropertiesUpdated(thing_id=id, values=(told,))


@pytest.fixture
def record(runner: object, database_url: str, positions: Positions) -> Record:
    async def append_and_see(*facts: Fact) -> None:
        append(database_url, *facts)
        for model in (Connectors, Things):
            assert (await positions.fresh(model.name)).fresh

    return append_and_see


@pytest.fixture
def connectors(database: Database) -> ConnectorQueries:
    return ConnectorQueries(database)


@pytest.fixture
def things(database: Database) -> ThingQueries:
    return ThingQueries(database)


async def test_an_owner_sees_the_own_instances_only_the_oldest_first(
    record: Record, connectors: ConnectorQueries
) -> None:
    await record(
        instance_created(OTHER_INSTANCE, type_id="mqtt"), instance_created(), instance_created(UUID(int=3), "o2")
    )
    assert await connectors.list_instances("o1") == [OTHER_INSTANCE, INSTANCE]
    assert await connectors.list_instances("nobody") == []
    found = await connectors.find_instance(INSTANCE)
    assert found is not None
    assert (found.configuration, found.sealed, found.installation) == ({"seed": 42}, "1:c2VhbGVk", "asked")


async def test_an_instance_that_no_service_has_spoken_of_is_asked_for_until_it_has(
    record: Record, connectors: ConnectorQueries
) -> None:
    await record(instance_created())
    assert [one.id for one in await connectors.asked_instances()] == [INSTANCE]
    await record((INSTANCE, InstanceInstalled()))
    assert await connectors.asked_instances() == []
    await record((INSTANCE, InstanceRemoved()))
    assert await connectors.find_instance(INSTANCE) is None


async def test_clients_are_listed_by_subject_and_by_instance(record: Record, connectors: ConnectorQueries) -> None:
    await record(instance_created(), client_created(), client_created(OTHER_CLIENT, "s2"))
    assert await connectors.list_clients("o1", "s1") == [CLIENT]
    assert await connectors.list_clients("o2", "s1") == []
    assert await connectors.clients_of_instance(INSTANCE) == [CLIENT, OTHER_CLIENT]
    assert await connectors.list_clients("o1", "s\0") == ()
    await record((CLIENT, ClientRemoved()))
    assert await connectors.clients_of_instance(INSTANCE) == [OTHER_CLIENT]
    assert await connectors.subjects_of("o1") == ["s1", "s2"], "also those that had one"


async def test_a_client_shows_what_it_awaits_and_why_it_fails(record: Record, connectors: ConnectorQueries) -> None:
    seen: list[tuple[str, ...]] = []
    for event in (
        ClientRedirected(location="https://example.com/agree"),
        ClientAdmitted(),
        ClientStarted(),
        ClientFailed(reason="no way"),
        ClientResumed(reason="again"),
    ):
        await record(*([] if seen else [client_created()]), (CLIENT, event))
        found = await connectors.find_client(CLIENT)
        assert found is not None
        seen.append((found.status, found.awaits, found.location, found.detail))
    assert seen == [
        ("STARTING", "user", "https://example.com/agree", ""),
        ("STARTING", "worker", "", ""),
        ("STARTED", "worker", "", ""),
        ("ERROR", "worker", "", "no way"),
        ("STARTING", "worker", "", ""),
    ]


async def test_the_worker_is_told_of_every_client_that_came_changed_or_went(
    record: Record, connectors: ConnectorQueries
) -> None:
    assert (await connectors.changed_clients(0)).clients == []
    await record(client_created(), client_created(OTHER_CLIENT, "s2"))
    first = await connectors.changed_clients(0)
    assert [one.id for one in first.clients] == [CLIENT, OTHER_CLIENT]
    assert (first.position, first.gone) == (2, [])
    assert await connectors.changed_clients(first.position) == (2, [], [])
    await record((CLIENT, ClientStarted()), (OTHER_CLIENT, ClientStarted()), (OTHER_CLIENT, ClientRemoved()))
    second = await connectors.changed_clients(first.position)
    assert [(one.id, one.status) for one in second.clients] == [(CLIENT, "STARTED")]
    assert (second.position, second.gone) == (5, [OTHER_CLIENT])
    assert [one.id for one in (await connectors.changed_clients(0)).clients] == [CLIENT]


async def test_a_published_connector_is_found_by_its_type_until_it_is_withdrawn(
    record: Record, connectors: ConnectorQueries
) -> None:
    connector = PublishedConnector(
        type_id="giphy",
        name="Giphy",
        description="",
        logo="",
        installation_url="https://example.com/i",
        instance_url="https://example.com/c",
        action_url="https://example.com/a",
    )
    published = ConnectorPublished(
        owner="o1", type_id="giphy", number=6, connector=connector, public_key="cA==", sealed_key="1:cw=="
    )
    await record((PUBLICATION, published))
    found = await connectors.find_publication("giphy")
    assert found is not None
    assert (found.id, found.number, found.connector) == (PUBLICATION, 6, connector)
    assert await connectors.list_publications() == [found]
    await record((PUBLICATION, ConnectorWithdrawn()))
    assert await connectors.find_publication("giphy") is None


async def test_a_thing_is_found_with_its_newest_values_until_it_is_removed(
    record: Record, connectors: ConnectorQueries, things: ThingQueries
) -> None:
    await record(thing_made(), updated("1"), updated("2"))
    found = await things.find(THING)
    assert found is not None
    assert (found.description, found.status, found.client_id) == (LAMP, "AVAILABLE", CLIENT)
    assert await things.list("o1", "s1") == [THING]
    assert await things.list("o1", "s2") == []
    assert await connectors.things_of(CLIENT) == {"sim-1": THING}
    values = await things.values(THING)
    assert values == {("lamp", "level"): ("2", START + timedelta(seconds=2))}
    await record((thing_stream_id(THING), ThingRemoved(thing_id=THING)))
    assert await things.find(THING) is None
    assert await things.values(THING) == {}
    assert await connectors.things_of(CLIENT) == {}


async def test_values_of_a_thing_that_was_removed_and_made_again_are_those_since(
    record: Record, things: ThingQueries
) -> None:
    await record(thing_made(), updated("1"), (thing_stream_id(THING), ThingRemoved(thing_id=THING)), thing_made())
    assert await things.values(THING) == {}
    await record(updated("3"))
    assert (await things.values(THING))[("lamp", "level")].value == "3"


async def test_an_action_shows_what_came_of_it(record: Record, things: ThingQueries) -> None:
    asked = ActionAsked(
        thing_id=THING,
        component_id="lamp",
        action_id="setLevel",
        parameters={"value": "50"},
        deadline=START + timedelta(minutes=1),
        client_id=CLIENT,
    )
    failing = UUID(int=32)
    await record((ACTION, asked), (failing, asked), (failing, ActionFailed(reason="broken")))
    pending, failed = await things.find_action(ACTION), await things.find_action(failing)
    assert pending is not None
    assert (pending.status, pending.reason, pending.deadline) == ("PENDING", None, asked.deadline)
    assert failed is not None
    assert (failed.status, failed.reason) == ("FAILED", "broken")
    await record((ACTION, ActionCompleted()))
    completed = await things.find_action(ACTION)
    assert completed is not None
    assert completed.status == "COMPLETED"


async def test_every_moment_of_the_actions_is_told_as_it_was(things: ThingQueries, record: Record) -> None:
    asked = ActionAsked(
        thing_id=THING, component_id="lamp", action_id="setLevel", parameters={}, deadline=START, client_id=CLIENT
    )
    failing = UUID(int=32)
    await record(
        (ACTION, asked), (failing, asked), (failing, ActionFailed(reason="broken")), (ACTION, ActionCompleted())
    )
    with as_of(1):
        assert await things.find_action(failing) is None
    for position, states in ((2, ["PENDING", "PENDING"]), (3, ["PENDING", "FAILED"]), (4, ["COMPLETED", "FAILED"])):
        with as_of(position):
            found = [await things.find_action(id) for id in (ACTION, failing)]
        assert [one and one.status for one in found] == states
        assert [one and one.reason for one in found] == [None, "broken" if position > 2 else None]


DAYS = [START.date() + timedelta(days=days) for days in range(3)]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.integers(0, 1), st.sampled_from(DAYS), st.sampled_from("abc"), st.text(max_size=3)),
            st.integers(0, 1),
        ),
        min_size=1,
        max_size=40,
    ),
    repeats=st.lists(st.sampled_from([1, 1, 1, 70]), min_size=40, max_size=40),
    cuts=st.sets(st.integers(1, 200)),
)
async def test_the_values_of_things_are_told_as_they_were_at_every_position(
    database: Database, database_url: str, things: ThingQueries, steps: list[Step], repeats: list[int], cuts: set[int]
) -> None:
    """However the log is cut into batches, and whatever order the days of two processes come in."""
    ids = [uuid4(), uuid4()]
    log = [_step(step, ids) for step, often in zip(steps, repeats, strict=False) for _ in range(often)]
    begins = append(database_url, *log) - len(log)
    async with (
        PostgresLogReader(database_url, Mapper(CATALOGUE)) as reader,
        await connect(database_url) as connection,
    ):
        events = await reader.read(begins, len(log))
        expected: dict[UUID, dict[tuple[str, str], str]] = {id: {} for id in ids}
        model, batch, said = Things(), list[Recorded](), []
        for number, one in enumerate(events):
            match one.event:
                case PropertiesUpdated(thing_id=id, values=values):
                    expected[id] |= {(value.component_id, value.property_id): value.value for value in values}
                case ThingRemoved(thing_id=id):
                    expected[id] = {}
            said.append((one.position, {id: dict(values) for id, values in expected.items()}))
            batch.append(one)
            if number in cuts or number == len(events) - 1:
                async with connection.transaction():
                    await model.apply(Batch(batch), Target(connection))
                batch = []
                if number % 3 == 0:
                    model = Things()
    for position, then in said[:: 1 + len(said) // 50]:
        with as_of(position):
            for id in ids:
                found = await things.values(id)
                assert {key: row.value for key, row in found.items()} == then[id]


def _step(step: Step, ids: list[UUID]) -> Fact:
    if isinstance(step, int):
        return thing_stream_id(ids[step]), ThingRemoved(thing_id=ids[step])
    number, day, property, text = step
    told = PropertyValue(component_id="lamp", property_id=property, value=text.replace("\0", ""))
    return properties_id(ids[number], day), PropertiesUpdated(thing_id=ids[number], values=(told,))


async def test_a_rebuild_comes_to_the_same_rows(record: Record, database_url: str) -> None:
    await record(
        instance_created(),
        client_created(),
        thing_made(),
        updated("1"),
        (CLIENT, ClientStarted()),
        (thing_stream_id(THING), ThingStatusChanged(thing_id=THING, status="UNAVAILABLE")),
        (thing_stream_id(THING), ThingRedescribed(thing_id=THING, description=LAMP)),
        updated("2"),
    )
    tables = [table.name for model in (Connectors, Things) for table in model.tables]
    before = {table: _rows(database_url, table) for table in tables}
    async with PostgresLogReader(database_url, Mapper(CATALOGUE)) as reader:
        await rebuild(database_url, [Connectors, Things], reader)
    assert {table: _rows(database_url, table) for table in tables} == before


def _rows(url: str, table: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return sorted(connection.execute(f"SELECT * FROM {table}".encode()).fetchall(), key=repr)
