from uuid import UUID

from domain.connectors.instance import InstanceExistsError
from domain.connectors.place import PLACE, PlaceLeft, PlaceTaken, leave, take
from domain.identifiers import client_place_id, instance_place_id
from tests.domain.specification import given

ADA, BOB = UUID(int=1), UUID(int=2)
TAKEN = InstanceExistsError("taken")


def test_who_comes_first_has_it_until_he_leaves() -> None:
    assert take(None, ADA, TAKEN) == (PlaceTaken(holder=ADA),)
    held = given(PLACE, PlaceTaken(holder=ADA))
    held.when(lambda place: take(place, BOB, TAKEN)).then_refused(InstanceExistsError, "connectors.instance_exists")
    held.when(lambda place: leave(place, BOB)).then_nothing()
    held.when(lambda place: leave(place, ADA)).then(PlaceLeft(holder=ADA))
    assert take(held.and_then(PlaceLeft(holder=ADA)).state, BOB, TAKEN) == (PlaceTaken(holder=BOB),)


def test_no_two_places_are_the_same_whatever_the_texts_hold() -> None:
    places = {
        *(client_place_id("a", "b", "c"), client_place_id("a/1:b", "c", ""), client_place_id("a", "b/1:c", "")),
        *(client_place_id("", "a/b", "c"), instance_place_id("a", "b"), instance_place_id("a/1:b", "")),
    }
    assert len(places) == 6
