import json
from uuid import UUID

import msgspec
import pytest

from domain.aggregates import DECIDERS
from domain.catalogue import CATALOGUE
from domain.connectors.client import ClientCreated
from domain.event import Event
from domain.person import completed, pseudonym
from domain.value import Value
from tests.persons import PERSON

PERSONAL: list[type[Value]] = [
    *(event for event in CATALOGUE if event.personal),
    *(decider.state for decider in DECIDERS.values() if decider.state.personal),
]


def test_a_pseudonym_is_the_same_for_one_person_and_another_for_another() -> None:
    assert pseudonym(PERSON) == "forgotten-5c9f2d0e7b1a4e63"
    assert pseudonym(UUID(int=1)) != pseudonym(PERSON)
    assert pseudonym(None) == "forgotten"


@pytest.mark.parametrize("kind", PERSONAL, ids=lambda kind: kind.__name__)
def test_what_is_personal_is_a_text_or_can_be_left_out(kind: type[Value]) -> None:
    for field in msgspec.structs.fields(kind):
        if field.name in kind.personal:
            assert not field.required or field.type is str, field.name
    assert set(kind.personal) <= set(kind.__struct_fields__)


@pytest.mark.parametrize("kind", PERSONAL, ids=lambda kind: kind.__name__)
def test_who_is_named_has_a_field_unless_the_event_is_older_than_keys(kind: type[Value]) -> None:
    is_older = issubclass(kind, Event) and kind.upcast is not Event.upcast
    assert ("person" in kind.__struct_fields__) != is_older


def test_an_event_that_forgets_says_whom() -> None:
    forgetting = [event for event in CATALOGUE if event.forgets]
    assert {event.topic for event in forgetting} == {"identity.user.forgotten.v1", "connectors.subject.forgotten.v1"}
    assert all("person" in event.__struct_fields__ and not event.personal for event in forgetting)


def test_whatever_sounds_like_a_person_is_personal() -> None:
    """What was recorded so far; whoever adds an event thinks of it."""
    for kind in (*CATALOGUE, *(decider.state for decider in DECIDERS.values())):
        for field in kind.__struct_fields__:
            if any(word in field for word in ("username", "email", "subject", "phone")):
                assert field in kind.personal, f"{kind.__name__} tells {field} in the clear"


def test_without_what_was_sealed_an_event_tells_of_somebody_who_was_forgotten() -> None:
    data = {"person": str(PERSON), "owner": "o1", "type_id": "mqtt", "instance_id": str(UUID(int=2))}
    event = CATALOGUE.decode(ClientCreated.topic, json.dumps(data).encode())
    assert event == ClientCreated(
        person=PERSON, owner="o1", subject=pseudonym(PERSON), type_id="mqtt", instance_id=UUID(int=2)
    )


def test_what_was_sealed_is_put_in_its_place() -> None:
    told = {"subject": msgspec.Raw(b'"s1"')}
    assert json.loads(completed(ClientCreated, b'{"person":null,"owner":"o1"}', told)) == {
        "person": None,
        "owner": "o1",
        "subject": "s1",
    }


def test_what_stands_there_in_the_clear_is_left() -> None:
    event = CATALOGUE.by_topic["identity.user.registered.v1"]
    assert json.loads(completed(event, b'{"username":"ada"}', {})) == {"username": "ada"}
