"""Who reads: a consumer, known by an id of his own choice, in one group at a time (contract streams 4.2)."""

from collections.abc import Sequence
from typing import Final, Literal

from domain.decider import Decider
from domain.errors import DomainError, InvalidError, NotFoundError
from domain.event import Event
from domain.value import State

ANYBODY: Final = "anonymous"

Departure = Literal["goodbye", "expired"]


class ConsumerRegistered(Event, topic="streams.consumer.registered.v1"):
    """`owner` is the actor that registered it."""

    consumer_id: str
    owner: str
    group: str
    topics: tuple[str, ...]


class ConsumerUnregistered(Event, topic="streams.consumer.unregistered.v1"):
    """It said goodbye, or was not heard of for too long."""

    consumer_id: str
    group: str
    why: Departure


class Consumer(State):
    """Registered."""

    id: str
    owner: str
    group: str
    topics: tuple[str, ...]


class NotRegisteredError(NotFoundError):
    """It never was, said goodbye, or was not heard of for too long."""

    code = "streams.consumer_not_registered"


class RegisteredOtherwiseError(DomainError):
    """With another group, or other topics."""

    code = "streams.consumer_registered_otherwise"


class ConsumerInvalidError(InvalidError):
    code = "streams.consumer_invalid"


# Decide


def register(consumer: Consumer | None, id: str, actor: str, group: str, topics: Sequence[str]) -> Sequence[Event]:
    if not id or not topics:
        raise ConsumerInvalidError("Consumer id and topics can not be empty")
    if consumer is None:
        return (ConsumerRegistered(consumer_id=id, owner=actor, group=group, topics=tuple(topics)),)
    if not _is_of(consumer, actor) or (consumer.group, consumer.topics) != (group, tuple(topics)):
        raise RegisteredOtherwiseError("Consumer already registered with different parameters")
    return ()


def require(consumer: Consumer | None, actor: str) -> Consumer:
    """Whose it is not, to him it is not there."""
    if consumer is None or not _is_of(consumer, actor):
        raise NotRegisteredError("Consumer not registered")
    return consumer


def unregister(consumer: Consumer | None, why: Departure) -> Sequence[Event]:
    if consumer is None:
        return ()
    return (ConsumerUnregistered(consumer_id=consumer.id, group=consumer.group, why=why),)


def _is_of(consumer: Consumer, actor: str) -> bool:
    """Who registered without saying who he is lets everybody use it."""
    return consumer.owner in (actor, ANYBODY)


# Evolve


def evolve(consumer: Consumer | None, event: Event) -> Consumer | None:
    match event:
        case ConsumerRegistered():
            return Consumer(id=event.consumer_id, owner=event.owner, group=event.group, topics=event.topics)
        case ConsumerUnregistered():
            return None
    return consumer


CONSUMER = Decider("streams.consumer", Consumer, evolve, tail=1)
