from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from domain.connectors.properties import PropertyValue, update
from domain.connectors.thing import (
    THING,
    Action,
    Component,
    Property,
    Thing,
    ThingDescription,
    ThingInvalidError,
    ThingMade,
    ThingRedescribed,
    ThingRemoved,
    ThingStatus,
    ThingStatusChanged,
    change_status,
    check,
    find_action,
    find_property,
    make,
    remove,
)
from domain.event import Event
from domain.identifiers import VALUES_PER_EVENT
from tests.domain.specification import given
from tests.persons import PERSON

ID, CLIENT = UUID(int=1), UUID(int=2)
ON = Property(id="on", name="on", type="BOOLEAN")
LAMP = Component(id="lamp", name="lamp", component_type="LAMP", properties=(ON,), actions=(Action(id="setOn"),))
DESCRIPTION = ThingDescription(
    name="Lamp", manufacturer="Acme", display_type="LAMP", main_component_id="lamp", components=(LAMP,)
)
MADE = ThingMade(
    person=PERSON,
    thing_id=ID,
    owner="o1",
    subject="s1",
    client_id=CLIENT,
    connector_thing_id="abc",
    description=DESCRIPTION,
    status="AVAILABLE",
)


def making(description: ThingDescription = DESCRIPTION, status: ThingStatus = "AVAILABLE") -> Any:
    return lambda thing: make(thing, PERSON, ID, "o1", "s1", CLIENT, "abc", description, status)


def existing(thing: Thing | None) -> Thing:
    assert thing is not None
    return thing


def with_component(**changes: object) -> ThingDescription:
    return replace(DESCRIPTION, components=(replace(LAMP, **changes),))


def test_a_thing_is_made_once() -> None:
    given(THING).when(making()).then(MADE)


def test_making_it_again_describes_it_anew() -> None:
    brighter = replace(DESCRIPTION, name="Brighter lamp")
    given(THING, MADE).when(making(brighter, "UNAVAILABLE")).then(
        ThingRedescribed(thing_id=ID, description=brighter), ThingStatusChanged(thing_id=ID, status="UNAVAILABLE")
    )


def test_the_same_status_again_is_nothing_new() -> None:
    changed = ThingStatusChanged(thing_id=ID, status="UNKNOWN")
    given(THING, MADE).when(lambda thing: change_status(existing(thing), "UNKNOWN")).then(changed)


def test_a_removed_thing_may_be_made_again() -> None:
    given(THING, MADE).when(remove).then(ThingRemoved(thing_id=ID))
    given(THING, MADE, ThingRemoved(thing_id=ID)).when(making()).then(MADE)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (replace(DESCRIPTION, display_type=""), "displayType"),
        (replace(DESCRIPTION, main_component_id=""), "mainComponentId"),
        (replace(DESCRIPTION, main_component_id="other"), "mainComponentId"),
        (replace(DESCRIPTION, components=()), "component"),
        (replace(DESCRIPTION, components=(LAMP, replace(LAMP, id="LAMP"))), "same id"),
        (with_component(component_type=""), "componentType"),
        (with_component(properties=(), actions=()), "neither"),
        (with_component(properties=(ON, replace(ON, id="ON"))), "same id"),
        (with_component(actions=(Action(id="a"), Action(id="A"))), "same id"),
        (with_component(properties=(replace(ON, id="bad id!"),)), "bad id!"),
        (with_component(properties=(replace(ON, id=""),)), "id"),
        (with_component(actions=(Action(id="x" * 201),)), "id"),
        (replace(DESCRIPTION, main_component_id="bad id!", components=(replace(LAMP, id="bad id!"),)), "bad id!"),
        (with_component(properties=(replace(ON, id="on\n"),)), "id"),
    ],
)
def test_a_description_that_is_none_is_refused_and_the_part_is_named(wrong: ThingDescription, named: str) -> None:
    with pytest.raises(ThingInvalidError, match=named):
        make(None, PERSON, ID, "o1", "s1", CLIENT, "abc", wrong, "AVAILABLE")


@pytest.mark.parametrize(
    "fine",
    [
        with_component(properties=()),
        with_component(actions=()),
        # Properties and actions are apart from each other.
        with_component(actions=(Action(id="on"),)),
        with_component(properties=(replace(ON, id="a-B_9"),)),
    ],
)
def test_what_the_connectors_own_kit_takes_is_taken(fine: ThingDescription) -> None:
    check(fine)


def test_properties_and_actions_are_found_by_their_exact_ids() -> None:
    thing = existing(given(THING, MADE).state)
    assert find_property(thing, "lamp", "on") == ON
    assert find_property(thing, "lamp", "ON") is None
    assert find_property(thing, "other", "on") is None
    assert find_action(thing, "lamp", "setOn") == Action(id="setOn")
    assert find_action(thing, "other", "setOn") is None


def test_more_values_than_an_event_holds_are_cut() -> None:
    values = [PropertyValue(component_id="lamp", property_id="on", value=str(n)) for n in range(VALUES_PER_EVENT + 1)]
    events: list[Any] = list(update(ID, values))
    assert [len(event.values) for event in events] == [VALUES_PER_EVENT, 1]
    assert [value for event in events for value in event.values] == values
    nothing: list[Event] = list(update(ID, ()))
    assert nothing == []
