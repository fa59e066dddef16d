"""A person's account. Its id is derived from the username, so two registrations of one name cannot both win.

Somebody who was forgotten keeps the name to nobody's use: whoever came after would have what was his.
"""

from collections.abc import Sequence
from uuid import UUID

from msgspec.structs import asdict, replace

from domain.decider import Decider
from domain.errors import AlreadyExistsError, NotFoundError
from domain.event import Event
from domain.person import pseudonym
from domain.value import State


class UserRegistered(
    Event,
    topic="identity.user.registered.v2",
    private=("password_hash",),
    personal=("username", "password_hash", "email"),
):
    """`person` is None for those who registered before persons had keys."""

    person: UUID | None
    username: str
    password_hash: str
    email: str | None = None


class UserRegisteredV1(
    Event, topic="identity.user.registered.v1", private=("password_hash",), personal=("username", "email")
):
    """As it was before persons had keys."""

    username: str
    password_hash: str
    email: str | None = None

    def upcast(self) -> UserRegistered:
        return UserRegistered(person=None, **asdict(self))


class PasswordRehashed(
    Event, topic="identity.user.password_rehashed.v2", private=("password_hash",), personal=("password_hash",)
):
    """The same password, hashed with today's parameters at a login."""

    person: UUID | None
    password_hash: str


class PasswordRehashedV1(
    Event, topic="identity.user.password_rehashed.v1", private=("password_hash",), personal=("password_hash",)
):
    """As it was before persons had keys."""

    password_hash: str

    def upcast(self) -> PasswordRehashed:
        return PasswordRehashed(person=None, password_hash=self.password_hash)


class UserDisabled(Event, topic="identity.user.disabled.v1"):
    reason: str


class UserEnabled(Event, topic="identity.user.enabled.v1"):
    pass


class UserForgotten(Event, topic="identity.user.forgotten.v1", forgets=True):
    """Nobody is this user any more. `person` is whose key was destroyed; new, where there was none."""

    person: UUID


class User(State, personal=("username", "password_hash")):
    person: UUID | None
    username: str
    password_hash: str
    disabled: bool = False
    forgotten: bool = False


class UsernameTakenError(AlreadyExistsError):
    code = "identity.username_taken"


class UserNotFoundError(NotFoundError):
    code = "identity.user_not_found"


# Decide


def register(user: User | None, person: UUID, username: str, password_hash: str, email: str | None) -> Sequence[Event]:
    if user is not None:
        raise UsernameTakenError(f"The username {username!r} is taken; choose another.")
    return (UserRegistered(person=person, username=username, password_hash=password_hash, email=email),)


def rehash_password(user: User | None, password_hash: str) -> Sequence[Event]:
    if user is None or user.forgotten or user.password_hash == password_hash:
        return ()
    return (PasswordRehashed(person=user.person, password_hash=password_hash),)


def disable(user: User | None, username: str, reason: str) -> Sequence[Event]:
    return () if _existing(user, username).disabled else (UserDisabled(reason=reason),)


def enable(user: User | None, username: str) -> Sequence[Event]:
    return (UserEnabled(),) if _existing(user, username).disabled else ()


def forget(user: User | None, person: UUID) -> Sequence[Event]:
    """`person` is for who has no key yet."""
    if user is None:
        raise UserNotFoundError("There is no such user.")
    return () if user.forgotten else (UserForgotten(person=user.person or person),)


def _existing(user: User | None, username: str) -> User:
    if user is None or user.forgotten:
        raise UserNotFoundError(f"There is no user {username!r}.")
    return user


# Evolve


def evolve(user: User | None, event: Event) -> User | None:
    match event, user:
        case UserRegistered(), _:
            return User(person=event.person, username=event.username, password_hash=event.password_hash)
        case PasswordRehashed(password_hash=password_hash), User():
            return replace(user, password_hash=password_hash)
        case UserDisabled(), User():
            return replace(user, disabled=True)
        case UserEnabled(), User():
            return replace(user, disabled=False)
        case UserForgotten(person=person), User():
            return User(person=person, username=pseudonym(person), password_hash="", disabled=True, forgotten=True)
    return user


USER = Decider("identity.user", User, evolve)
