"""The rules of sensors and actors: one body of tests, run under both stored names."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from domain.decider import Decider
from domain.devices.actor import ACTOR, ACTOR_EVENTS
from domain.devices.part import (
    Part,
    PartCorrection,
    PartDescription,
    PartEvents,
    PartExistsError,
    PartOfAnotherDeviceError,
    add,
    announce,
    correct,
    remove,
    retire,
)
from domain.devices.sensor import SENSOR, SENSOR_EVENTS
from domain.event import Event
from tests.domain.specification import given

DEVICE = UUID("3814fb88-565c-5dc8-9b91-60d4002b6edc")
OTHER_DEVICE = UUID("007c79f3-33f0-5a0c-9713-70921f69f8ce")
TOLD = PartDescription(id=UUID("2e4abd8d-5d31-56b9-9bd9-84d9d7d57947"), name="flow", type="temperature", data_type_id=1)


class Kind:
    """A kind of part, with the facts that the rules below speak of."""

    def __init__(self, decider: Decider[Part], events: PartEvents) -> None:
        self.decider = decider
        self.events = events
        self.added = self._added("discovery")
        self.added_by_api = self._added("api")
        self.retired = events.retired(reason="not announced")
        self.revived = events.revived()
        self.moved = events.moved(device_id=OTHER_DEVICE)
        self.removed = events.removed()
        self.renamed = events.redescribed(name="return", type="temperature", data_type_id=1)

    def _added(self, origin: Any) -> Any:
        return self.events.added(device_id=DEVICE, name="flow", type="temperature", data_type_id=1, origin=origin)


@pytest.fixture(params=[Kind(SENSOR, SENSOR_EVENTS), Kind(ACTOR, ACTOR_EVENTS)], ids=["sensor", "actor"])
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


def test_an_unknown_part_is_added_by_its_announcement(kind: Kind) -> None:
    given(kind.decider).when(lambda part: announce(part, TOLD, DEVICE, kind.events)).then(kind.added)
    assert given(kind.decider, kind.added).state == Part(
        device_id=DEVICE, name="flow", type="temperature", data_type_id=1, origin="discovery"
    )


def test_a_changed_description_is_recorded(kind: Kind) -> None:
    given(kind.decider, kind.added).when(
        lambda part: announce(part, replace(TOLD, name="return"), DEVICE, kind.events)
    ).then(kind.renamed)


def test_each_of_the_three_fields_is_a_description(kind: Kind) -> None:
    for changed in (replace(TOLD, name="n"), replace(TOLD, type="t"), replace(TOLD, data_type_id=9)):
        given(kind.decider, kind.added).when(
            partial(announce, described=changed, device_id=DEVICE, events=kind.events)
        ).then(kind.events.redescribed(name=changed.name, type=changed.type, data_type_id=changed.data_type_id))


def test_a_part_no_longer_announced_is_retired(kind: Kind) -> None:
    given(kind.decider, kind.added).when(lambda part: retire(part, "not announced", kind.events)).then(kind.retired)


def test_a_retired_part_is_revived_by_its_announcement(kind: Kind) -> None:
    given(kind.decider, kind.added, kind.retired).when(lambda part: announce(part, TOLD, DEVICE, kind.events)).then(
        kind.revived
    )


def test_a_part_revived_under_another_name_is_revived_and_redescribed(kind: Kind) -> None:
    given(kind.decider, kind.added, kind.retired).when(
        lambda part: announce(part, replace(TOLD, name="return"), DEVICE, kind.events)
    ).then(kind.revived, kind.renamed)


def test_a_revived_part_can_be_retired_again(kind: Kind) -> None:
    given(kind.decider, kind.added, kind.retired, kind.revived).when(
        lambda part: retire(part, "not announced", kind.events)
    ).then(kind.retired)


def test_a_part_of_another_device_is_not_given_away(kind: Kind) -> None:
    given(kind.decider, kind.added).when(lambda part: announce(part, TOLD, OTHER_DEVICE, kind.events)).then_refused(
        PartOfAnotherDeviceError, "devices.part_of_another_device"
    )


def test_a_retired_part_of_another_device_is_not_given_away_either(kind: Kind) -> None:
    given(kind.decider, kind.added, kind.retired).when(
        lambda part: announce(part, TOLD, OTHER_DEVICE, kind.events)
    ).then_refused(PartOfAnotherDeviceError, "devices.part_of_another_device")


def test_a_part_made_over_the_api_is_never_retired(kind: Kind) -> None:
    given(kind.decider, kind.added_by_api).when(lambda part: retire(part, "not announced", kind.events)).then_nothing()


def test_a_part_made_over_the_api_stays_so_when_its_device_announces_it(kind: Kind) -> None:
    renamed = given(kind.decider, kind.added_by_api, kind.renamed)
    renamed.when(lambda part: retire(part, "not announced", kind.events)).then_nothing()
    assert renamed.state is not None
    assert renamed.state.origin == "api"


def test_retiring_what_never_was_records_nothing(kind: Kind) -> None:
    given(kind.decider).when(lambda part: retire(part, "not announced", kind.events)).then_nothing()


def test_a_person_adds_a_part_of_their_own(kind: Kind) -> None:
    assert add(None, TOLD, DEVICE, kind.events) == (kind.added_by_api,)
    given(kind.decider, kind.added_by_api).when(lambda part: add(part, TOLD, DEVICE, kind.events)).then_refused(
        PartExistsError, "devices.part_exists"
    )


def test_a_person_changes_single_fields_and_the_others_stay(kind: Kind) -> None:
    for told, described in (
        (PartCorrection(name="n"), ("n", "temperature", 1)),
        (PartCorrection(type="t"), ("flow", "t", 1)),
        (PartCorrection(data_type_id=9), ("flow", "temperature", 9)),
    ):
        name, type, data_type_id = described
        given(kind.decider, kind.added).when(partial(_corrected, told=told, events=kind.events)).then(
            kind.events.redescribed(name=name, type=type, data_type_id=data_type_id)
        )


def test_a_correction_that_says_nothing_new_records_nothing(kind: Kind) -> None:
    same = PartCorrection(device_id=DEVICE, name="flow", type="temperature", data_type_id=1)
    for told in (PartCorrection(), same):
        given(kind.decider, kind.added).when(partial(_corrected, told=told, events=kind.events)).then_nothing()


def test_a_person_moves_a_part_to_another_device_and_renames_it(kind: Kind) -> None:
    told = PartCorrection(device_id=OTHER_DEVICE, name="return")
    given(kind.decider, kind.added).when(partial(_corrected, told=told, events=kind.events)).then(
        kind.moved, kind.renamed
    )


def test_a_part_that_was_moved_belongs_to_the_other_device_which_cannot_retire_it(kind: Kind) -> None:
    moved = given(kind.decider, kind.added, kind.moved)
    moved.when(lambda part: announce(part, TOLD, DEVICE, kind.events)).then_refused(
        PartOfAnotherDeviceError, "devices.part_of_another_device"
    )
    moved.when(lambda part: announce(part, TOLD, OTHER_DEVICE, kind.events)).then_nothing()
    moved.when(lambda part: retire(part, "not announced", kind.events)).then_nothing()


def test_a_part_is_removed_also_when_it_is_retired(kind: Kind) -> None:
    for past in ((kind.added,), (kind.added_by_api,), (kind.added, kind.retired)):
        given(kind.decider, *past).when(lambda part: remove(part, kind.events)).then(kind.removed)
    given(kind.decider).when(lambda part: remove(part, kind.events)).then_nothing()


def test_a_removed_part_begins_anew_when_any_device_announces_it(kind: Kind) -> None:
    gone = given(kind.decider, kind.added_by_api, kind.retired, kind.removed)
    assert gone.state is None
    gone.when(lambda part: announce(part, TOLD, DEVICE, kind.events)).then(kind.added)
    gone.when(lambda part: announce(part, TOLD, OTHER_DEVICE, kind.events)).then(
        replace(kind.added, device_id=OTHER_DEVICE)
    )


def test_a_removed_part_cannot_be_retired(kind: Kind) -> None:
    given(kind.decider, kind.added, kind.removed).when(
        lambda part: retire(part, "not announced", kind.events)
    ).then_nothing()


def _corrected(part: Part | None, told: PartCorrection, events: PartEvents) -> Sequence[Event]:
    assert part is not None
    return correct(part, told, events)


def test_sensors_and_actors_are_stored_under_names_of_their_own() -> None:
    def topics(events: PartEvents) -> set[str]:
        return {event.topic for event in events.all}

    assert all(topic.startswith("devices.sensor.") for topic in topics(SENSOR_EVENTS))
    assert all(topic.startswith("devices.actor.") for topic in topics(ACTOR_EVENTS))
