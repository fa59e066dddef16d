"""What holds for every aggregate, whatever happened to it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.eventstore.mapper import Mapper
from application.ports import NewEvent
from domain.aggregates import DECIDERS
from domain.catalogue import CATALOGUE
from domain.decider import Decider
from domain.devices import command, device, external_id, link, part
from domain.devices.command import COMMANDS, DeviceCommandIssued
from domain.devices.device import DEVICE, Announcement, Correction
from domain.devices.external_id import EXTERNAL_ID
from domain.devices.link import LINK, LinkOpened
from domain.devices.part import PartCorrection, PartDescription
from domain.devices.reading import READING, RecordedReading, correct
from domain.devices.sensor import SENSOR, SENSOR_EVENTS
from domain.errors import AlreadyExistsError, DomainError
from domain.event import Envelope, Event
from domain.identity import user
from domain.identity.user import USER
from tests.domain.strategies import events, instants, of
from tests.persons import KEYS, PERSON

MAPPER = Mapper(CATALOGUE)

ids = st.sampled_from([UUID(int=n) for n in range(1, 5)])
words = st.sampled_from(["", "a", 'ä\0"\\'])
maybe_words = st.none() | words
statuses = st.sampled_from([1, 2, 3, 4])
inventories = st.none() | st.lists(ids, unique=True).map(tuple)


def envelope(at: datetime = datetime(2026, 1, 14, tzinfo=UTC)) -> Envelope:
    return Envelope(id=UUID(int=7), at=at, actor="user:ada", source="http", correlation_id="c-1", causation_id="m-1")


def through_json(event: Event) -> Event:
    state = MAPPER.encode(NewEvent(UUID(int=1), 1, event, envelope()), KEYS)
    return MAPPER.event(event.topic, state, KEYS)


@given(event=events, at=instants)
def test_every_event_comes_back_from_its_stored_form_unchanged(event: Event, at: datetime) -> None:
    written = NewEvent(UUID(int=1), 3, event, envelope(at))
    recorded = MAPPER.recorded(9, UUID(int=1), 3, event.topic, MAPPER.encode(written, KEYS), KEYS)
    present = event.upcast()
    assert (recorded.event, type(recorded.event)) == (present, type(present))
    assert recorded.envelope == written.envelope
    assert (recorded.position, recorded.aggregate_id, recorded.version) == (9, UUID(int=1), 3)


@pytest.mark.parametrize("decider", DECIDERS.values(), ids=lambda decider: decider.name)
@given(history=st.lists(events, max_size=20))
def test_evolve_never_raises_whatever_comes_in_whatever_order(decider: Decider[Any], history: list[Event]) -> None:
    state = decider.fold(history)
    assert state is None or isinstance(state, decider.state)


device_decisions = st.one_of(
    st.builds(
        lambda told: lambda state: device.announce(state, told),
        st.builds(
            Announcement,
            name=maybe_words,
            description=maybe_words,
            location=maybe_words,
            mac_address=st.sampled_from([None, "aa:bb", "AA-BB", "cc:dd"]),
            sensors=inventories,
            actors=inventories,
            live=st.booleans(),
        ),
    ),
    st.builds(
        lambda status, word, road: lambda state: device.report_presence(state, status, word, road),
        statuses,
        words,
        st.sampled_from(["mqtt", "websocket"]),
    ),
    st.just(lambda state: device.connect(state, "websocket")),
    st.just(device.hear),
    st.just(device.await_answer),
    st.just(device.settle_answer),
    st.just(device.fall_silent),
    st.builds(
        lambda name, status, external: lambda state: device.register(state, name, name, name, status, external),
        words,
        statuses,
        maybe_words,
    ),
    st.builds(lambda told: lambda state: device.correct(state, told) if state else (), of(Correction)),
    st.builds(lambda ids: lambda state: device.fit(state, sensors=ids, actors=ids[:1]), st.lists(ids, unique=True)),
    st.builds(lambda ids: lambda state: device.strip(state, sensors=ids[:1], actors=ids), st.lists(ids, unique=True)),
    st.just(device.remove),
)
NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
command_decisions = st.one_of(
    st.builds(
        lambda id, part, kind: (
            lambda state: command.issue(
                state,
                DeviceCommandIssued(
                    device_id=UUID(int=9), command_id=id, kind=kind, part_id=part, action="set", issued_at=NOON
                ),
            )
        ),
        ids,
        ids,
        st.sampled_from(["trigger", "write"]),
    ),
    st.builds(lambda id: lambda state: command.confirm(state, id), ids),
    st.builds(lambda id: lambda state: command.fail(state, id, "away"), ids),
    st.builds(lambda sensor: lambda state: command.measure(state, {sensor: 1.0}, NOON), ids),
)
part_decisions = st.one_of(
    st.builds(
        lambda described, owner: lambda state: part.announce(state, described, owner, SENSOR_EVENTS),
        of(PartDescription),
        ids,
    ),
    st.builds(lambda reason: lambda state: part.retire(state, reason, SENSOR_EVENTS), words),
    st.builds(
        lambda described, owner: lambda state: part.add(state, described, owner, SENSOR_EVENTS),
        of(PartDescription),
        ids,
    ),
    st.builds(
        lambda told: lambda state: part.correct(state, told, SENSOR_EVENTS) if state else (),
        st.builds(PartCorrection, device_id=st.none() | ids, name=maybe_words, data_type_id=st.none() | st.just(2)),
    ),
    st.just(lambda state: part.remove(state, SENSOR_EVENTS)),
)
external_id_decisions = st.one_of(
    st.builds(lambda owner: lambda state: external_id.claim(state, "b-7", owner), ids),
    st.builds(lambda owner: lambda state: external_id.release(state, owner), ids),
)
reading_decisions = st.builds(
    lambda recorded, value, at: lambda state: correct(state, recorded, value, at),
    of(RecordedReading),
    st.none() | st.floats(),
    st.none() | instants,
)
link_decisions = st.one_of(
    st.builds(
        lambda opened: lambda state: link.open(state, opened), st.builds(replace, of(LinkOpened), connection_id=ids)
    ),
    st.builds(lambda id, reason: lambda state: link.close(state, id, reason), ids, words),
    st.just(link.give_way),
)
user_decisions = st.one_of(
    st.builds(lambda name, hash: lambda state: user.register(state, PERSON, name, hash, None), words, words),
    st.just(lambda state: user.forget(state, PERSON)),
    st.builds(lambda hash: lambda state: user.rehash_password(state, hash), words),
    st.builds(lambda reason: lambda state: user.disable(state, "a", reason), words),
    st.just(lambda state: user.enable(state, "a")),
)


@pytest.mark.parametrize(
    ("decider", "decisions"),
    [
        (DEVICE, device_decisions),
        (SENSOR, part_decisions),
        (EXTERNAL_ID, external_id_decisions),
        (READING, reading_decisions),
        (USER, user_decisions),
        (COMMANDS, command_decisions),
        (LINK, link_decisions),
    ],
    ids=["device", "part", "external id", "reading", "user", "commands", "link"],
)
@given(data=st.data())
def test_a_replayed_aggregate_is_the_same_and_a_decision_taken_twice_records_nothing(
    decider: Decider[Any], decisions: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    state: Any = None
    recorded: list[Event] = []
    for decide in data.draw(st.lists(decisions, max_size=15)):
        try:
            decided: Sequence[Event] = decide(state)
        except DomainError:
            continue
        recorded += decided
        state = decider.fold(decided, state)
        assert again(decide, state) == ()
    assert decider.fold(recorded) == state
    assert decider.fold(through_json(event) for event in recorded) == state


def again(decide: Any, state: Any) -> tuple[Event, ...]:
    try:
        return tuple(decide(state))
    except AlreadyExistsError:
        return ()  # making is the one thing that is refused the second time
