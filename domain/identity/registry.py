"""Whether anybody has registered yet. One aggregate for the whole installation, so that only one can be the first."""

from collections.abc import Sequence
from uuid import UUID

from domain.decider import Decider
from domain.errors import DomainError
from domain.event import Event
from domain.value import State


class RegistryOpened(Event, topic="identity.registry.opened.v1"):
    """The first account was made, together with this."""

    user_id: UUID


class Registry(State):
    first: UUID


class NotFirstError(DomainError):
    """Somebody has registered already, and only the first account is free."""

    code = "identity.not_first"


# Decide


def enter(registry: Registry | None, user_id: UUID, *, only_first: bool) -> Sequence[Event]:
    """Every registration passes here; `only_first` turns back all but the first."""
    if registry is None:
        return (RegistryOpened(user_id=user_id),)
    if only_first:
        raise NotFirstError("There is an account already; ask its owner for a token with the scope users.write.")
    return ()


# Evolve


def evolve(registry: Registry | None, event: Event) -> Registry | None:
    match event:
        case RegistryOpened(user_id=user_id):
            return Registry(first=user_id)
    return registry


REGISTRY = Decider("identity.registry", Registry, evolve)
