import pytest

from domain.catalogue import CATALOGUE, Catalogue, UnknownTopicError
from domain.event import Event


class DoorMoved(Event, topic="house.door.moved.v2"):
    """The present shape: an angle where the first version only knew open and shut."""

    degrees: int
    by: str = "unknown"


class DoorMovedV1(Event, topic="house.door.moved.v1"):
    open: bool

    def upcast(self) -> DoorMoved:
        return DoorMoved(degrees=90 if self.open else 0)


HOUSE = Catalogue([DoorMoved, DoorMovedV1])


def test_a_superseded_version_decodes_to_the_present_shape() -> None:
    assert HOUSE.decode("house.door.moved.v1", b'{"open": true}') == DoorMoved(degrees=90)


def test_the_present_version_decodes_to_itself() -> None:
    assert HOUSE.decode("house.door.moved.v2", b'{"degrees": 5, "by": "cat"}') == DoorMoved(degrees=5, by="cat")


def test_both_versions_stay_in_the_catalogue() -> None:
    assert set(HOUSE) == {DoorMoved, DoorMovedV1}


def test_an_unknown_topic_is_an_error_that_names_it() -> None:
    with pytest.raises(UnknownTopicError, match=r"house\.door\.painted\.v1"):
        HOUSE.decode("house.door.painted.v1", b"{}")


def test_a_later_version_than_ours_is_unknown() -> None:
    with pytest.raises(UnknownTopicError):
        CATALOGUE.decode("identity.user.registered.v999", b"{}")


def test_two_events_cannot_claim_one_topic() -> None:
    class Impostor(Event, topic="house.door.moved.v2"):
        pass

    with pytest.raises(ValueError, match=r"house\.door\.moved\.v2 is claimed by two"):
        Catalogue([DoorMoved, Impostor])


def test_what_is_missing_in_stored_data_is_never_guessed() -> None:
    with pytest.raises(ValueError, match="degrees"):
        HOUSE.decode("house.door.moved.v2", b"{}")
