"""An owner's subject: the end customer that clients and things are for (contract connectors 2.5).

It is met with the first of them, and again, as somebody else, after it was forgotten.
"""

from collections.abc import Sequence
from uuid import UUID

from msgspec.structs import replace

from domain.decider import Decider
from domain.errors import DomainError, NotFoundError
from domain.event import Event
from domain.value import State


class SubjectMet(Event, topic="connectors.subject.met.v1"):
    """Whose key seals what is recorded of it."""

    owner: str
    person: UUID


class SubjectForgotten(Event, topic="connectors.subject.forgotten.v1", forgets=True):
    """Nobody knows any more who this was. `person` is whose key was destroyed; new, where there was none."""

    owner: str
    person: UUID


class Subject(State):
    person: UUID
    forgotten: bool = False


class SubjectNotFoundError(NotFoundError):
    code = "connectors.subject_not_found"


class SubjectServedError(DomainError):
    """It has clients or things, which would go on for somebody whom nobody knows."""

    code = "connectors.subject_served"

    def __init__(self, clients: Sequence[UUID], things: Sequence[UUID]) -> None:
        super().__init__("The subject has clients or things: remove them first.")
        self.clients = clients
        self.things = things


# Decide


def meet(subject: Subject | None, owner: str, person: UUID) -> Sequence[Event]:
    """`person` is for who has no key, or not any more."""
    return (SubjectMet(owner=owner, person=person),) if subject is None or subject.forgotten else ()


def forget(subject: Subject | None, owner: str, person: UUID) -> Sequence[Event]:
    """The same of those whose things were made before persons had keys."""
    if subject is None:
        return (SubjectForgotten(owner=owner, person=person),)
    return () if subject.forgotten else (SubjectForgotten(owner=owner, person=subject.person),)


# Evolve


def evolve(subject: Subject | None, event: Event) -> Subject | None:
    match event, subject:
        case SubjectMet(person=person), _:
            return Subject(person=person)
        case SubjectForgotten(person=person), None:
            return Subject(person=person, forgotten=True)
        case SubjectForgotten(), Subject():
            return replace(subject, forgotten=True)
    return subject


SUBJECT = Decider("connectors.subject", Subject, evolve)
