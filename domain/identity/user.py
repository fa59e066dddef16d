"""A person's account. Its id is derived from the username, so two registrations of one name cannot both win."""

from collections.abc import Sequence

from domain.decider import Decider
from domain.errors import AlreadyExistsError, NotFoundError
from domain.event import Event
from domain.value import State


class UserRegistered(Event, topic="identity.user.registered.v1", private=("password_hash",)):
    username: str
    password_hash: str
    email: str | None = None


class PasswordRehashed(Event, topic="identity.user.password_rehashed.v1", private=("password_hash",)):
    """The same password, hashed with today's parameters at a login."""

    password_hash: str


class UserDisabled(Event, topic="identity.user.disabled.v1"):
    reason: str


class UserEnabled(Event, topic="identity.user.enabled.v1"):
    pass


class User(State):
    username: str
    password_hash: str
    disabled: bool = False


class UsernameTakenError(AlreadyExistsError):
    code = "identity.username_taken"


class UserNotFoundError(NotFoundError):
    code = "identity.user_not_found"


# Decide


def register(user: User | None, username: str, password_hash: str, email: str | None) -> Sequence[Event]:
    if user is not None:
        raise UsernameTakenError(f"The username {username!r} is taken; choose another.")
    return (UserRegistered(username=username, password_hash=password_hash, email=email),)


def rehash_password(user: User | None, password_hash: str) -> Sequence[Event]:
    if user is None or user.password_hash == password_hash:
        return ()
    return (PasswordRehashed(password_hash=password_hash),)


def disable(user: User | None, username: str, reason: str) -> Sequence[Event]:
    return () if _existing(user, username).disabled else (UserDisabled(reason=reason),)


def enable(user: User | None, username: str) -> Sequence[Event]:
    return (UserEnabled(),) if _existing(user, username).disabled else ()


def _existing(user: User | None, username: str) -> User:
    if user is None:
        raise UserNotFoundError(f"There is no user {username!r}.")
    return user


# Evolve


def evolve(user: User | None, event: Event) -> User | None:
    match event, user:
        case UserRegistered(username=username, password_hash=password_hash), _:
            return User(username=username, password_hash=password_hash)
        case PasswordRehashed(password_hash=password_hash), User():
            return User(username=user.username, password_hash=password_hash, disabled=user.disabled)
        case UserDisabled(), User():
            return User(username=user.username, password_hash=user.password_hash, disabled=True)
        case UserEnabled(), User():
            return User(username=user.username, password_hash=user.password_hash)
    return user


USER = Decider("identity.user", User, evolve)
