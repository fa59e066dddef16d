"""Accounts: register, log in, disable, forget."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from uuid import UUID, uuid4

from msgspec import field

from application.command import Aggregates, Change, Command, Handler, change
from domain.decider import Decider
from domain.identifiers import REGISTRY_ID, access_id, acquaintance_id, logins_id, source_id, user_id
from domain.identity import access, logins, registry, user
from domain.identity.access import ACCESS, NOBODY, AccessRefused
from domain.identity.logins import ACQUAINTANCE, LOGINS_OF_SOURCE, LOGINS_OF_USER, MINUTE, Failures
from domain.identity.registry import REGISTRY
from domain.identity.user import USER


class RegisterUser(Command):
    """With `only_first` it is refused when anybody has registered before. `person` is a new id, for a new key."""

    username: str
    password_hash: str
    email: str | None = None
    only_first: bool = False
    person: UUID = field(default_factory=uuid4)


def register_user(command: RegisterUser, aggregates: Aggregates) -> Sequence[Change]:
    id = user_id(command.username)
    registered = aggregates.find(REGISTRY, REGISTRY_ID)
    account = aggregates.find(USER, id)
    opened = registry.enter(registered, id, only_first=command.only_first)
    made = user.register(account, command.person, command.username, command.password_hash, command.email)
    return [change(USER, id, made), change(REGISTRY, REGISTRY_ID, opened)]


class TryLogin(Command):
    """Asks whether a password may be checked at all, which is expensive and tells something. Records nothing."""

    user_id: UUID
    source: str


def try_login(command: TryLogin, aggregates: Aggregates) -> Sequence[Change]:
    _require_open(command, aggregates)
    return ()


class RefuseLogin(Command):
    """The password was wrong. Refused itself when so many were wrong meanwhile that not even this may be told."""

    user_id: UUID
    source: str
    limit: int


def refuse_login(command: RefuseLogin, aggregates: Aggregates) -> Sequence[Change]:
    of_user, of_source = _require_open(command, aggregates)
    id, source, now = command.user_id, command.source, aggregates.now
    refused = logins.refuse(of_user, id, source, now, command.limit)
    refused_source = logins.refuse_source(of_source, id, source, now, command.limit)
    return [
        change(LOGINS_OF_USER, logins_id(id, now.date()), refused),
        change(LOGINS_OF_SOURCE, source_id(source, now.date()), refused_source),
    ]


class AcceptLogin(Command):
    """The password was right. Refused like RefuseLogin, else many guesses at once would find it."""

    user_id: UUID
    source: str


def accept_login(command: AcceptLogin, aggregates: Aggregates) -> Sequence[Change]:
    _require_open(command, aggregates)
    id = acquaintance_id(command.user_id, command.source)
    recognised = logins.recognise(aggregates.find(ACQUAINTANCE, id), command.user_id, command.source)
    return [change(ACQUAINTANCE, id, recognised)]


def _require_open(command: TryLogin | RefuseLogin | AcceptLogin, aggregates: Aggregates) -> tuple[Failures, Failures]:
    """The failures of the user and of the source. Raises TooManyFailuresError."""
    of_user = _failures(LOGINS_OF_USER, lambda day: logins_id(command.user_id, day), aggregates)
    of_source = _failures(LOGINS_OF_SOURCE, lambda day: source_id(command.source, day), aggregates)
    acquainted = aggregates.find(ACQUAINTANCE, acquaintance_id(command.user_id, command.source)) is not None
    logins.require_open(of_user, of_source, aggregates.now, acquainted=acquainted)
    return of_user, of_source


def _failures(decider: Decider[Failures], id: Callable[[date], UUID], aggregates: Aggregates) -> Failures:
    """Of today, and of yesterday as long as that was less than a minute ago."""
    days = {aggregates.now.date(), (aggregates.now - MINUTE).date()}
    return logins.together(aggregates.find_many(decider, map(id, days)).values())


class RefuseAccess(Command):
    """A request was not allowed. Of too many in a minute not all are recorded."""

    asker: str
    source: str
    method: str
    route: str
    status: int


def refuse_access(command: RefuseAccess, aggregates: Aggregates) -> Sequence[Change]:
    asker = command.source if command.asker == NOBODY else command.asker
    id = access_id(asker, aggregates.now.date())
    refused = AccessRefused(
        asker=command.asker,
        source=command.source,
        method=command.method,
        route=command.route,
        status=command.status,
        at=aggregates.now,
    )
    return [change(ACCESS, id, access.refuse(aggregates.find(ACCESS, id), refused))]


class RehashPassword(Command):
    username: str
    password_hash: str


def rehash_password(command: RehashPassword, aggregates: Aggregates) -> Sequence[Change]:
    id = user_id(command.username)
    account = aggregates.find(USER, id)
    return [change(USER, id, user.rehash_password(account, command.password_hash))]


class DisableUser(Command):
    username: str
    reason: str


def disable_user(command: DisableUser, aggregates: Aggregates) -> Sequence[Change]:
    id = user_id(command.username)
    return [change(USER, id, user.disable(aggregates.find(USER, id), command.username, command.reason))]


class EnableUser(Command):
    username: str


def enable_user(command: EnableUser, aggregates: Aggregates) -> Sequence[Change]:
    id = user_id(command.username)
    return [change(USER, id, user.enable(aggregates.find(USER, id), command.username))]


class ForgetUser(Command):
    """Nobody acts as the user any more, and nobody can tell who it was."""

    username: str
    person: UUID = field(default_factory=uuid4)


def forget_user(command: ForgetUser, aggregates: Aggregates) -> Sequence[Change]:
    id = user_id(command.username)
    return [change(USER, id, user.forget(aggregates.find(USER, id), command.person))]


HANDLERS: Mapping[type[Command], Handler] = {
    RegisterUser: register_user,
    TryLogin: try_login,
    RefuseLogin: refuse_login,
    AcceptLogin: accept_login,
    RefuseAccess: refuse_access,
    RehashPassword: rehash_password,
    DisableUser: disable_user,
    EnableUser: enable_user,
    ForgetUser: forget_user,
}
