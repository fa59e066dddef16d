"""What an aggregate was at a position is the fold of its events up to there, whatever else happened meanwhile."""

import random
from collections.abc import Collection
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.eventstore.mapper import Mapper
from domain.aggregates import DECIDERS, withheld_fields
from domain.catalogue import CATALOGUE
from domain.decider import Decider
from domain.devices.device import DeviceDiscovered, DeviceRemoved
from domain.devices.readings import Reading, ReadingsRecorded
from domain.devices.sensor import SensorAdded
from domain.event import Event
from domain.identity.user import UserDisabled, UserEnabled, UserRegistered
from projections.as_of import AsOfError
from projections.audit import aggregate_events, states
from projections.audit.moments import Moments
from projections.audit.states import BeforeItBeganError, NoStateError, StateQueries
from projections.database import Database
from tests.domain.strategies import of
from tests.persons import PERSON
from tests.projections.test_audit import BEGAN, Written, envelope

MAPPER = Mapper(CATALOGUE)
USER, DEVICE, OTHER = UUID(int=77), UUID(int=78), UUID(int=79)

folded = [decider for decider in DECIDERS.values() if decider.tail != 0]


def events_of(decider: Decider[Any]) -> st.SearchStrategy[list[Event]]:
    kinds = [event for topic, event in CATALOGUE.by_topic.items() if topic.startswith(f"{decider.name}.")]
    return st.lists(st.one_of([of(kind) for kind in kinds]), min_size=1, max_size=9)


histories = st.sampled_from(folded).flatmap(lambda decider: st.tuples(st.just(decider), events_of(decider)))


@pytest.fixture
def queries(database: Database) -> StateQueries:
    return StateQueries(database, MAPPER.event)


async def test_the_state_as_of_every_position_is_the_fold_of_the_events_up_to_it(
    queries: StateQueries, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregate_events, "CHUNK", 2)
    told: list[tuple[UUID, Decider[Any], list[Event]]] = []

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(histories)
    def draw(history: tuple[Decider[Any], list[Event]]) -> None:
        told.append((uuid4(), *history))

    draw()
    chance = random.Random(5)
    order = [id for id, _, events in told for _ in events]
    chance.shuffle(order)
    happened: dict[UUID, list[tuple[int, Event]]] = {id: [] for id in order}
    waiting = {id: iter(events) for id, _, events in told}
    for position, id in enumerate(order, 1):
        happened[id].append((position, next(waiting[id])))
    written = Written(database_url)
    by_position = sorted((at, id, event) for id, events in happened.items() for at, event in events)
    written.append(*((id, event, envelope(at)) for at, id, event in by_position))
    for id, decider, _ in told:
        withheld = withheld_fields(decider.name)
        assert await queries.kind(decider.name.partition(".")[0], id) == decider.name
        for position in {at + step for at, _ in happened[id] for step in (-1, 0, 1)} | {1, len(order)}:
            until = [(at, event.upcast()) for at, event in happened[id] if at <= position]
            if not until:
                with pytest.raises(BeforeItBeganError, match=f"it began at {happened[id][0][0]}"):
                    await queries.find(decider.name, id, position)
                continue
            found = await queries.find(decider.name, id, position)
            assert (found.version, found.position) == (len(until), until[-1][0])
            assert found.state == _shown(decider.fold(event for _, event in until), withheld), decider.name


def _shown(value: Any, withheld: Collection[str]) -> Any:
    """As JSON has it, without these fields wherever they are."""
    read = msgspec.json.decode(msgspec.json.encode(value))

    def without(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: without(inner) for name, inner in part.items() if name not in withheld}
        return [without(inner) for inner in part] if isinstance(part, list) else part

    return without(read)


async def test_a_state_tells_nothing_private_and_where_it_stands(queries: StateQueries, database_url: str) -> None:
    Written(database_url).append(
        (USER, UserRegistered(person=PERSON, username="ada", password_hash="$secret$"), envelope(1)),
        (DEVICE, DeviceDiscovered(name="Greenhouse", description="", location="here"), envelope(2)),
        (USER, UserDisabled(reason="left"), envelope(3)),
        (USER, UserEnabled(), envelope(4)),
    )
    told = [await queries.find("identity.user", USER, position) for position in (1, 2, 3, 4)]
    assert [(state.version, state.position, state.state) for state in told] == [
        (1, 1, {"person": str(PERSON)}),
        (1, 1, {"person": str(PERSON)}),
        (2, 3, {"person": str(PERSON), "disabled": True}),
        (3, 4, {"person": str(PERSON)}),
    ]


async def test_what_was_removed_had_no_state_any_more(queries: StateQueries, database_url: str) -> None:
    Written(database_url).append(
        (DEVICE, DeviceDiscovered(name="Greenhouse", description="", location="here"), envelope(1)),
        (DEVICE, DeviceRemoved(), envelope(2)),
    )
    before, after = await queries.find("devices.device", DEVICE, 1), await queries.find("devices.device", DEVICE, 2)
    assert (before.state or {})["name"] == "Greenhouse"
    assert after == (2, 2, None)


async def test_why_there_is_no_state_is_said(
    queries: StateQueries, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "FOLDED", 2)
    readings = ReadingsRecorded(device_id=DEVICE, readings=(Reading(sensor_id=DEVICE, value=1.5),))
    Written(database_url).append(
        (OTHER, readings, envelope(1)),
        (USER, UserRegistered(person=PERSON, username="ada", password_hash="$secret$"), envelope(2)),
        *((USER, UserEnabled(), envelope(at)) for at in (3, 4)),
        (DEVICE, SensorAdded(device_id=USER, name="t", type="t", data_type_id=1, origin="discovery"), envelope(5)),
        (DEVICE, UserEnabled(), envelope(6)),
    )
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE events SET topic = 'devices.sensor.painted.v1' WHERE notification_id = 6")
    assert await queries.kind("identity", OTHER) is None, "it is of another context"
    assert await queries.kind("devices", uuid4()) is None
    with pytest.raises(NoStateError, match=r"each event of devices.readings stands for itself"):
        await queries.find("devices.readings", OTHER, 6)
    assert (await queries.find("identity.user", USER, 3)).version == 2
    with pytest.raises(NoStateError, match="it had 3 events by then, and 2 are folded at most"):
        await queries.find("identity.user", USER, 4)
    assert (await queries.find("devices.sensor", DEVICE, 5)).version == 1
    with pytest.raises(NoStateError, match="of a newer program"):
        await queries.find("devices.sensor", DEVICE, 6)
    with pytest.raises(NoStateError, match=r"devices.garden is known to a newer program only"):
        await queries.find("devices.garden", DEVICE, 6)


async def test_a_moment_is_found_in_the_log_though_no_read_model_has_come_so_far(
    database: Database, database_url: str
) -> None:
    Written(database_url).append(*((USER, UserEnabled(), envelope(at)) for at in (1, 2, 3)))
    moments = Moments(database)
    assert await moments.position_in_log("2") == 2
    assert await moments.position_in_log(BEGAN.replace(second=2).isoformat()) == 2
    with pytest.raises(AsOfError, match="in the future; the log ends at 3"):
        await moments.position_in_log("4")
