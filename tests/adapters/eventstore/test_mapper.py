import json
from uuid import UUID

import msgspec
import pytest
from freezegun import freeze_time

from adapters.eventstore.mapper import Mapper
from adapters.eventstore.persons import Keys
from application.ports import Loaded, NewEvent, Ref
from domain.catalogue import CATALOGUE, Catalogue
from domain.devices.device import DEVICE, Device, DeviceConnected
from domain.event import Envelope, Event
from domain.identity.user import USER, User, UserDisabled, UserRegistered
from tests.clock import clock
from tests.facts import NOON
from tests.persons import KEYS, PERSON

MAPPER = Mapper(CATALOGUE)
ENVELOPE = Envelope(
    id=UUID("b7c1f3a2-0d4e-4c55-8f6a-000000000001"),
    at=NOON,
    actor="user:ada",
    source="http",
    correlation_id="c-1",
    causation_id="m-1",
)
REGISTERED = UserRegistered(person=PERSON, username="Ada", password_hash="$argon2id$1", email="ada@example.org")


def stored(event: Event, envelope: Envelope = ENVELOPE) -> bytes:
    return MAPPER.encode(NewEvent(UUID(int=1), 1, event, envelope), KEYS)


def test_the_stored_form_is_the_envelope_around_the_data() -> None:
    assert json.loads(stored(UserDisabled(reason="left"))) == {
        "id": "b7c1f3a2-0d4e-4c55-8f6a-000000000001",
        "at": "2026-01-14T12:00:00Z",
        "actor": "user:ada",
        "source": "http",
        "correlation_id": "c-1",
        "causation_id": "m-1",
        "data": {"reason": "left"},
    }


def test_an_event_without_fields_still_has_data() -> None:
    assert json.loads(stored(CATALOGUE.by_topic["identity.user.enabled.v1"]()))["data"] == {}


def test_the_envelope_can_be_read_without_knowing_the_event() -> None:
    state = MAPPER.stored(stored(DeviceConnected(through="mqtt")))
    assert (state.id, state.at, state.actor, state.source) == (ENVELOPE.id, NOON, "user:ada", "http")
    assert (state.correlation_id, state.causation_id) == ("c-1", "m-1")
    assert bytes(state.data) == b'{"through":"mqtt"}'


def test_a_frozen_time_is_stored_like_any_other() -> None:
    with freeze_time("2026-01-14 12:00:00"):
        state = stored(UserDisabled(reason="x"), msgspec.structs.replace(ENVELOPE, at=clock()))
    assert MAPPER.stored(state).at == NOON


def test_private_fields_do_not_leave_the_log() -> None:
    data = MAPPER.stored(stored(REGISTERED)).data
    shown = MAPPER.public_data(REGISTERED.topic, data)
    assert json.loads(shown) == {"person": str(PERSON)}


def test_what_was_recorded_of_a_person_in_the_clear_does_not_leave_the_log_either() -> None:
    data = msgspec.Raw(b'{"username":"Ada","password_hash":"$argon2id$1","email":"ada@example.org"}')
    assert json.loads(MAPPER.public_data("identity.user.registered.v1", data)) == {"person": None}


def test_who_somebody_is_is_stored_sealed() -> None:
    state = stored(REGISTERED)
    assert b"Ada" not in state
    assert b"ada@example.org" not in state
    assert json.loads(state)["data"] == {"person": str(PERSON)}
    assert MAPPER.event(REGISTERED.topic, state, KEYS) == REGISTERED
    assert MAPPER.persons_in([(REGISTERED.topic, state), ("identity.user.enabled.v1", b"not looked at")]) == {PERSON}


NAME = "forgotten-5c9f2d0e7b1a4e63"
FORGOTTEN = UserRegistered(person=PERSON, username=NAME, password_hash=NAME)


@pytest.mark.parametrize("keys", [{}, {PERSON: b"another key of thirty-two bytes."}], ids=["no key", "another key"])
def test_without_the_key_nobody_knows_who_it_was(keys: Keys) -> None:
    assert MAPPER.event(REGISTERED.topic, stored(REGISTERED), keys) == FORGOTTEN


def test_what_was_sealed_of_one_event_is_not_opened_for_another() -> None:
    one, another = json.loads(stored(REGISTERED)), json.loads(stored(REGISTERED))
    another["id"] = "b7c1f3a2-0d4e-4c55-8f6a-000000000002"
    another["sealed"] = one["sealed"]
    assert MAPPER.event(REGISTERED.topic, json.dumps(another).encode(), KEYS) == FORGOTTEN


def test_an_event_that_tells_of_somebody_who_was_forgotten_is_written_without() -> None:
    state = MAPPER.encode(NewEvent(UUID(int=1), 1, REGISTERED, ENVELOPE))
    assert set(json.loads(state)) == {"id", "at", "actor", "source", "correlation_id", "causation_id", "data"}
    assert MAPPER.event(REGISTERED.topic, state, KEYS) == FORGOTTEN


def test_a_snapshot_is_sealed_like_an_event() -> None:
    user = User(person=PERSON, username="Ada", password_hash="$argon2id$1", disabled=True)
    kept, ref = MAPPER.encode_snapshot(Loaded(USER, user, 7), KEYS), Ref(USER, UUID(int=1))
    assert b"Ada" not in kept
    assert MAPPER.person_in_snapshot(ref, kept) == PERSON
    assert MAPPER.decode_snapshot(ref, kept, KEYS) == user
    assert MAPPER.decode_snapshot(ref, kept) == User(person=PERSON, username=NAME, password_hash=NAME, disabled=True)


def test_a_snapshot_of_another_shape_of_a_person_is_seen() -> None:
    with pytest.raises(msgspec.ValidationError):
        MAPPER.decode_snapshot(Ref(USER, UUID(int=1)), b'{"data":{"username":"Ada"}}')


@pytest.mark.parametrize("event", [event for event in CATALOGUE if event.private], ids=lambda event: event.topic)
def test_what_is_private_is_a_field_of_the_event(event: type[Event]) -> None:
    assert set(event.private) <= set(event.__struct_fields__)


def test_whatever_sounds_like_a_secret_is_private() -> None:
    for event in CATALOGUE:
        for field in event.__struct_fields__:
            if any(word in field for word in ("password", "secret", "token", "credential", "key")):
                assert field in event.withheld, f"{event.topic} shows {field}"


def test_public_data_without_secrets_is_what_was_stored() -> None:
    data = MAPPER.stored(stored(DeviceConnected(through="mqtt"))).data
    assert MAPPER.public_data("devices.device.connected.v1", data) == b'{"through":"mqtt"}'


class Opened(Event, topic="house.door.opened.v2", private=("code",)):
    degrees: int
    code: str = "0000"


class OpenedV1(Event, topic="house.door.opened.v1"):
    def upcast(self) -> Opened:
        return Opened(degrees=90, code="1234")


def test_public_data_of_a_superseded_version_is_todays_without_todays_secrets() -> None:
    house = Mapper(Catalogue([Opened, OpenedV1]))
    assert json.loads(house.public_data("house.door.opened.v1", msgspec.Raw(b"{}"))) == {"degrees": 90}


def test_a_snapshot_comes_back_as_the_same_state() -> None:
    device = Device(name="boiler", description="", location="cellar", sensors=(UUID(int=5),), roads=("mqtt",))
    kept = MAPPER.encode_snapshot(Loaded(DEVICE, device, 7))
    assert MAPPER.decode_snapshot(Ref(DEVICE, UUID(int=1)), kept) == device


def test_of_what_is_gone_a_snapshot_is_kept_too() -> None:
    assert MAPPER.decode_snapshot(Ref(DEVICE, UUID(int=1)), MAPPER.encode_snapshot(Loaded(DEVICE, None, 7))) is None
