"""Who was forgotten is named in no row of any read model: not now, not then, not after a rebuild."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.eventstore.reader import PostgresLogReader
from domain.connectors.client import ClientCreated, ClientCreatedV1, ClientFailed, ClientRemoved, ClientStarted
from domain.connectors.subject import SubjectForgotten, SubjectMet
from domain.connectors.thing import ThingMade, ThingMadeV1, ThingRemoved, ThingStatusChanged
from domain.event import Event
from domain.identifiers import subject_id, thing_stream_id, user_id
from domain.identity.user import UserDisabled, UserEnabled, UserForgotten, UserRegistered, UserRegisteredV1
from domain.person import pseudonym
from projections.connectors.connector_queries import ConnectorQueries
from projections.connectors.thing_queries import ThingQueries
from projections.database import Database
from projections.identity.accounts import Accounts
from projections.positions import Positions
from projections.rebuild import rebuild
from projections.registry import READ_MODELS
from tests.persons import PERSON
from tests.projections.conftest import running
from tests.projections.history import MAPPER, all_rows, append, as_of
from tests.projections.test_connectors import LAMP

Fact = tuple[UUID, Event]

USER = UUID("11111111-aaaa-4aaa-8aaa-aaaaaaaaaaaa")
ANOTHER = UUID("22222222-aaaa-4aaa-8aaa-aaaaaaaaaaaa")
INSTANCE = UUID(int=1)
OLD, NEW, OTHERS = UUID(int=2), UUID(int=3), UUID(int=4)
OLD_THING, NEW_THING = UUID(int=5), UUID(int=6)
ADA, BOB = user_id("ada lovelace"), user_id("bob")
SUBJECT = subject_id("o1", "charles babbage")
NAMES = ("lovelace", "babbage", "analytical")


def history() -> list[Fact]:
    """Of two persons who are going to be forgotten, partly of before there were keys, and of one who is not."""
    client: Any = {"owner": "o1", "type_id": "simulator", "instance_id": INSTANCE}
    thing: Any = {"owner": "o1", "connector_thing_id": "sim-1", "description": LAMP, "status": "AVAILABLE"}
    return [
        (ADA, UserRegistered(person=USER, username="Ada Lovelace", password_hash="x", email="ada@lovelace.example")),
        (ADA, UserDisabled(reason="x")),
        (ADA, UserEnabled()),
        (BOB, UserRegistered(person=ANOTHER, username="Bob", password_hash="x")),
        (SUBJECT, SubjectMet(owner="o1", person=PERSON)),
        (OLD, ClientCreatedV1(subject="charles babbage", configuration={"engine": "analytical"}, **client)),
        (OLD, ClientStarted()),
        (NEW, ClientCreated(person=PERSON, subject="charles babbage", configuration={"e": "analytical"}, **client)),
        (OTHERS, ClientCreated(person=ANOTHER, subject="bob", configuration={"kept": True}, **client)),
        (NEW, ClientFailed(reason="x")),
        (thing_stream_id(OLD_THING), ThingMadeV1(thing_id=OLD_THING, subject="charles babbage", **thing)),
        (thing_stream_id(NEW_THING), ThingMade(thing_id=NEW_THING, person=PERSON, subject="charles babbage", **thing)),
        (thing_stream_id(NEW_THING), ThingStatusChanged(thing_id=NEW_THING, status="UNAVAILABLE")),
        (thing_stream_id(OLD_THING), ThingRemoved(thing_id=OLD_THING)),
        (OLD, ClientRemoved()),
    ]


FORGETTING: list[Fact] = [(ADA, UserForgotten(person=USER)), (SUBJECT, SubjectForgotten(owner="o1", person=PERSON))]


def forget(url: str) -> int:
    """As the log does it, in one transaction."""
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE person_keys SET key = NULL, forgotten_at = now() WHERE person <> %s", (ANOTHER,))
    return append(url, *FORGETTING)


async def caught_up(positions: Positions) -> None:
    for model in READ_MODELS:
        assert (await positions.fresh(model.name)).fresh


def named_in(url: str) -> set[str]:
    rows = repr(all_rows(url)).casefold()
    return {name for name in NAMES if name in rows}


async def test_who_was_forgotten_is_in_no_row(runner: object, database_url: str, positions: Positions) -> None:
    append(database_url, *history())
    await caught_up(positions)
    assert named_in(database_url) == set(NAMES)
    forget(database_url)
    await caught_up(positions)
    assert named_in(database_url) == set()
    rows = all_rows(database_url)
    assert {row[1] for row in rows["users"]} == {pseudonym(USER), "Bob"}
    assert len(rows["users"]) == 5
    assert {row[2] for row in rows["connector_clients"]} == {pseudonym(PERSON), "bob"}


async def test_the_past_names_nobody_who_was_forgotten(
    runner: object, database: Database, database_url: str, positions: Positions
) -> None:
    append(database_url, *history())
    head = forget(database_url)
    await caught_up(positions)
    connectors, things, accounts = ConnectorQueries(database), ThingQueries(database), Accounts(database)
    for position in range(1, head + 1):
        with as_of(position):
            assert await accounts.names([ADA]) == {ADA: pseudonym(USER)}
            assert not await connectors.list_clients("o1", "charles babbage")
            assert not await things.list("o1", "charles babbage")
            for id in (OLD, NEW):
                known = await connectors.find_client(id)
                assert known is None or (known.subject, known.configuration) == (pseudonym(PERSON), {})
    with as_of(8):
        assert list(await connectors.list_clients("o1", pseudonym(PERSON))) == [OLD, NEW]
    with as_of(12):
        assert list(await things.list("o1", pseudonym(PERSON))) == [OLD_THING, NEW_THING]
    assert await connectors.subjects_of("o1") == ["bob", pseudonym(PERSON)]


@pytest.mark.parametrize("when", ["all was seen before", "nothing was seen before", "half was seen before"])
async def test_a_rebuild_and_whoever_comes_late_come_to_the_same_rows(
    database_url: str, positions: Positions, when: str
) -> None:
    facts = history()
    seen = {"all was seen before": len(facts), "nothing was seen before": 0, "half was seen before": 8}[when]
    async with running(database_url):
        append(database_url, *facts[:seen])
        await caught_up(positions)
    append(database_url, *facts[seen:])
    forget(database_url)
    async with running(database_url):
        await caught_up(positions)
    before = all_rows(database_url)
    assert named_in(database_url) == set()
    async with PostgresLogReader(database_url, MAPPER) as reader:
        await rebuild(database_url, READ_MODELS, reader)
    assert all_rows(database_url) == before


async def test_who_comes_back_is_somebody_else(runner: object, database_url: str, positions: Positions) -> None:
    append(database_url, *history())
    forget(database_url)
    again = uuid4()
    created = ClientCreated(
        person=again, owner="o1", subject="charles babbage", type_id="simulator", instance_id=INSTANCE
    )
    append(database_url, (SUBJECT, SubjectMet(owner="o1", person=again)), (uuid4(), created))
    await caught_up(positions)
    subjects = {row[2] for row in all_rows(database_url)["connector_clients"]}
    assert subjects == {"charles babbage", pseudonym(PERSON), "bob"}


async def test_who_registered_before_persons_had_keys_is_forgotten_too(
    runner: object, database_url: str, positions: Positions
) -> None:
    append(database_url, (ADA, UserRegisteredV1(username="Ada Lovelace", password_hash="x")))
    await caught_up(positions)
    append(database_url, (ADA, UserForgotten(person=USER)))
    await caught_up(positions)
    assert {row[1] for row in all_rows(database_url)["users"]} == {pseudonym(USER)}
