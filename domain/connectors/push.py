"""What somebody pushed to a client, so that the same push is not taken twice. One aggregate for each; its id is made of
the push's own signature and time."""

from collections.abc import Sequence
from uuid import UUID

from domain.decider import Decider
from domain.errors import AlreadyExistsError
from domain.event import Event
from domain.value import State


class PushReceived(Event, topic="connectors.push.received.v1"):
    """It was signed by whoever may, and what it says is on the record."""

    client_id: UUID


class Push(State):
    client_id: UUID


class PushRepeatedError(AlreadyExistsError):
    code = "connectors.push_repeated"


# Decide


def receive(push: Push | None, client_id: UUID) -> Sequence[Event]:
    if push is not None:
        raise PushRepeatedError("This push was taken before.")
    return (PushReceived(client_id=client_id),)


# Evolve


def evolve(push: Push | None, event: Event) -> Push | None:
    match event:
        case PushReceived():
            return Push(client_id=event.client_id)
    return push


PUSH = Decider("connectors.push", Push, evolve)
