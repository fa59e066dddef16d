"""Persons in the log of PostgreSQL: sealed with a key of their own, and forgotten with it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.eventstore.log import PostgresEventLog
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.persons import Keys
from adapters.eventstore.recorder import LogDatastore, LogRecorder
from application.executor import CommandExecutor
from application.identity import DisableUser, ForgetUser, RegisterUser
from application.ports import Loaded, NewEvent, Ref
from domain.catalogue import CATALOGUE
from domain.event import Envelope
from domain.identifiers import user_id
from domain.identity.user import USER, User, UserForgotten, UsernameTakenError, UserRegistered
from domain.person import pseudonym
from tests.application.logs import everything_in, running
from tests.facts import NOON, ORIGIN
from tests.persons import PERSON

NAME, ADDRESS = "Ada Lovelace", "ada@example.org"
ADA = user_id(NAME)
REGISTER = RegisterUser(username=NAME, password_hash="$argon2id$1", email=ADDRESS, person=PERSON)
STATE = User(person=PERSON, username=NAME, password_hash="$argon2id$1")
NOBODY = User(person=PERSON, username=pseudonym(PERSON), password_hash="", disabled=True, forgotten=True)


def log_on(url: str) -> PostgresEventLog:
    return PostgresEventLog(url, Mapper(CATALOGUE))


def stored(url: str) -> list[bytes]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT state FROM events UNION ALL SELECT state FROM snapshots").fetchall()
        return [bytes(state) for (state,) in rows]


def keys(url: str) -> dict[UUID, bytes | None]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT person, key FROM person_keys").fetchall())


def assert_in_the_clear_nowhere(url: str) -> None:
    for state in stored(url):
        for text in ("Ada", "ada@", "argon2"):
            assert text.encode() not in state


async def names_in_the_log(url: str) -> list[tuple[str, str | None]]:
    events = [recorded.event for recorded in await everything_in(url)]
    return [(event.username, event.email) for event in events if isinstance(event, UserRegistered)]


async def test_a_person_is_in_the_clear_nowhere_and_is_told_with_the_key(database_url: str) -> None:
    async with log_on(database_url) as log, running(log) as (executor,):
        await executor.execute(REGISTER, ORIGIN)
        await log.snapshot({ADA: Loaded(USER, STATE, 1)})
        assert_in_the_clear_nowhere(database_url)
        key = keys(database_url)[PERSON]
        assert key is not None
        assert len(key) == 32
        assert not [state for state in stored(database_url) if key in state]
        assert await executor.find(USER, ADA) == STATE
    assert await names_in_the_log(database_url) == [(NAME, ADDRESS)]


async def test_each_person_has_a_key_of_his_own(database_url: str) -> None:
    async with log_on(database_url) as log, running(log) as (executor,):
        for name in ("ada", "bob"):
            await executor.execute(RegisterUser(username=name, password_hash="x"), ORIGIN)
    assert len(set(keys(database_url).values())) == 2


async def test_forgetting_destroys_the_key_and_leaves_every_byte_of_the_log(database_url: str) -> None:
    async with log_on(database_url) as log, running(log) as (executor,):
        await executor.execute(REGISTER, ORIGIN)
        await log.snapshot({ADA: Loaded(USER, STATE, 1)})
        before = stored(database_url)
        await executor.execute(ForgetUser(username=NAME), ORIGIN)
        assert keys(database_url) == {PERSON: None}
        assert set(before) < set(stored(database_url))
        assert await executor.find(USER, ADA) == NOBODY
        with pytest.raises(UsernameTakenError):
            await executor.execute(REGISTER, ORIGIN)
    assert await names_in_the_log(database_url) == [(pseudonym(PERSON), None)]


async def test_another_process_that_knew_the_person_does_not_any_more(database_url: str) -> None:
    async with log_on(database_url) as one, log_on(database_url) as two, running(one, two) as (here, there):
        await here.execute(REGISTER, ORIGIN)
        await there.execute(DisableUser(username=NAME, reason="x"), ORIGIN)
        await here.execute(ForgetUser(username=NAME), ORIGIN)
        receipt = await there.execute(ForgetUser(username=NAME), ORIGIN)
        assert (receipt.events, receipt.state) == ((), NOBODY)


async def test_what_somebody_still_knows_afterwards_is_not_written(database_url: str) -> None:
    async with log_on(database_url) as log, running(log) as (executor,):
        await executor.execute(REGISTER, ORIGIN)
        await executor.execute(ForgetUser(username=NAME), ORIGIN)
        late = UserRegistered(person=PERSON, username=NAME, password_hash="x", email=ADDRESS)
        envelope = Envelope(id=uuid4(), at=NOON, actor="user:x", source="http", correlation_id="c")
        await log.append([NewEvent(UUID(int=5), 1, late, envelope)], await log.head(), ())
        await log.snapshot({UUID(int=5): Loaded(USER, STATE, 1)})
        assert_in_the_clear_nowhere(database_url)
        assert keys(database_url) == {PERSON: None}
        loaded = (await log.load([Ref(USER, UUID(int=5))]))[UUID(int=5)]
        name = pseudonym(PERSON)
        assert loaded.state == User(person=PERSON, username=name, password_hash=name)


async def test_who_registered_before_persons_had_keys_never_gets_one_afterwards(database_url: str) -> None:
    async with log_on(database_url) as log:
        envelope = Envelope(id=uuid4(), at=NOON, actor="user:x", source="http", correlation_id="c")
        await log.append([NewEvent(ADA, 1, UserForgotten(person=PERSON), envelope)], 0, ())
        assert keys(database_url) == {PERSON: None}
        await log.snapshot({ADA: Loaded(USER, STATE, 1)})
        assert keys(database_url) == {PERSON: None}


@contextmanager
def connection_lost(url: str, when: str) -> Iterator[None]:
    """The first time that somebody is forgotten."""
    original = LogRecorder._insert_behind
    lost: list[str] = []

    def insert_behind(self: LogRecorder, connection: Any, *args: Any) -> Any:
        if lost:
            return original(self, connection, *args)
        lost.append(when)
        if when == "before the commit":
            with connection.transaction():
                original(self, connection, *args)
                _end(url, connection.info.backend_pid)
        inserted = original(self, connection, *args)
        _end(url, connection.info.backend_pid)
        connection.execute("SELECT 1")
        return inserted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LogRecorder, "_insert_behind", insert_behind)
        yield
    assert lost


def _end(url: str, pid: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


@pytest.mark.parametrize("when", ["before the commit", "after the commit"])
async def test_a_person_is_forgotten_once_and_altogether_when_the_connection_is_lost(
    database_url: str, when: str
) -> None:
    async with log_on(database_url) as log, running(log) as (executor,):
        await executor.execute(REGISTER, ORIGIN)
        with connection_lost(database_url, when):
            await executor.execute(ForgetUser(username=NAME), ORIGIN)
    events = [recorded.event for recorded in await everything_in(database_url)]
    assert [event for event in events if isinstance(event, UserForgotten)] == [UserForgotten(person=PERSON)]
    assert keys(database_url) == {PERSON: None}


async def test_the_key_stays_where_forgetting_was_not_recorded(database_url: str) -> None:
    async with log_on(database_url) as log, running(log) as (executor,):
        await executor.execute(REGISTER, ORIGIN)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE disk_full; END $$"
            )
            connection.execute(
                "CREATE TRIGGER refuse BEFORE UPDATE ON person_keys FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        await refused(executor)
        assert keys(database_url)[PERSON] is not None
        assert await executor.find(USER, ADA) == STATE
    assert UserForgotten not in [type(recorded.event) for recorded in await everything_in(database_url)]


async def refused(executor: CommandExecutor) -> None:
    with pytest.raises(Exception, match="the event log cannot be reached"):
        await executor.execute(ForgetUser(username=NAME), ORIGIN)


def test_of_many_who_make_the_key_of_one_person_at_once_all_have_the_same(database_url: str) -> None:
    persons = [uuid4() for _ in range(50)]

    def make(_: int) -> Keys:
        datastore = LogDatastore(database_url)
        try:
            return LogRecorder(datastore).keys(persons, make=True)
        finally:
            datastore.close()

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(make, range(16)))
    assert all(one == made[0] for one in made)
    assert set(made[0]) == set(persons) == set(keys(database_url))
