"""A place that one holds at a time: an owner's instance of a type, a subject's client of it, the name of a published
type. The place's id is derived from what it is for, so that two cannot take it; whoever takes it later has another id.
"""

from collections.abc import Sequence
from uuid import UUID

from domain.decider import Decider
from domain.errors import AlreadyExistsError
from domain.event import Event
from domain.value import State


class PlaceTaken(Event, topic="connectors.place.taken.v1"):
    holder: UUID


class PlaceLeft(Event, topic="connectors.place.left.v1"):
    holder: UUID


class Place(State):
    """A place that is held. One that is free has no state."""

    holder: UUID


# Decide


def take(place: Place | None, holder: UUID, refusal: AlreadyExistsError) -> Sequence[Event]:
    if place is not None:
        raise refusal
    return (PlaceTaken(holder=holder),)


def leave(place: Place | None, holder: UUID) -> Sequence[Event]:
    """Nobody gives away what another holds."""
    return (PlaceLeft(holder=holder),) if place is not None and place.holder == holder else ()


# Evolve


def evolve(place: Place | None, event: Event) -> Place | None:
    match event:
        case PlaceTaken():
            return Place(holder=event.holder)
        case PlaceLeft():
            return None
    return place


PLACE = Decider("connectors.place", Place, evolve)
