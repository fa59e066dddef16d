"""Who is forgotten, and who is not: users and the subjects of apps, in the decision of whichever process."""

from uuid import UUID, uuid4

import pytest

from application.connectors.client import RemoveClient
from application.connectors.subject import ForgetSubject
from application.executor import CommandExecutor
from application.identity import RegisterUser
from application.policies.forgetting import Forgetting, Served
from application.ports import LogUnavailableError
from domain.connectors.client import CLIENT, ClientCreated
from domain.connectors.subject import SUBJECT, SubjectForgotten, SubjectMet, SubjectNotFoundError, SubjectServedError
from domain.connectors.thing import THING, ThingMade
from domain.event import Event
from domain.identifiers import subject_id, thing_stream_id, user_id
from domain.identity.user import USER, UserForgotten, UserNotFoundError, UserRegistered
from domain.person import person_of, pseudonym
from tests.application.connectors.facts import CLIENT_ID, OWNER, creating_client, creating_instance, entering, making
from tests.application.connectors.facts import thing_named as thing
from tests.application.logs import LogUnderTest, running
from tests.facts import ORIGIN
from tests.persons import PERSON

NOBODY = Served((), (), False)


class Records:
    """Fills PersonRecords as a test says."""

    def __init__(self, served: Served = NOBODY, *, caught_up: bool = True) -> None:
        self.is_caught_up = caught_up
        self._served = served

    async def caught_up(self) -> bool:
        return self.is_caught_up

    async def served(self, owner: str, subject: str) -> Served:
        return self._served


def forgetting(executor: CommandExecutor, served: Served = NOBODY, *, caught_up: bool = True) -> Forgetting:
    return Forgetting(executor, Records(served, caught_up=caught_up))


async def events_of(log: LogUnderTest, *kinds: type[Event]) -> list[Event]:
    return [recorded.event for recorded in await log.everything() if isinstance(recorded.event, kinds)]


async def test_a_user_is_forgotten_once_and_shown_by_one_name(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(RegisterUser(username="Ada", password_hash="x", person=PERSON), ORIGIN)
        done = await forgetting(executor).forget_user("ADA", ORIGIN)
        assert done == (pseudonym(PERSON), 3, True)
        again = await forgetting(executor, caught_up=False).forget_user("ada", ORIGIN)
        assert again == (pseudonym(PERSON), 0, False)
        known = await executor.find(USER, user_id("ada"))
        assert known is not None
        assert (known.username, known.disabled) == (pseudonym(PERSON), True)
    assert await events_of(log, UserForgotten) == [UserForgotten(person=PERSON)]
    (registered,) = await events_of(log, UserRegistered)
    assert isinstance(registered, UserRegistered)
    assert (registered.username, registered.email) == (pseudonym(PERSON), None)


class RecordsAway(Records):
    async def caught_up(self) -> bool:
        raise LogUnavailableError("the database went away")


async def test_what_is_done_is_told_also_when_nobody_knows_who_has_seen_it(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(RegisterUser(username="Ada", password_hash="x", person=PERSON), ORIGIN)
        done = await Forgetting(executor, RecordsAway()).forget_user("ada", ORIGIN)
    assert done == (pseudonym(PERSON), 3, False)


async def test_nobody_is_no_user_to_forget(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        with pytest.raises(UserNotFoundError):
            await forgetting(executor).forget_user("ada", ORIGIN)
    assert not await log.everything()


async def test_everything_for_a_subject_is_of_one_person_and_another_subject_is_another(log: LogUnderTest) -> None:
    entered = uuid4()
    async with running(log.connect(), log.connect()) as (one, other):
        await one.execute(creating_instance(), ORIGIN)
        await one.execute(creating_client(), ORIGIN)
        await other.execute(making("one"), ORIGIN)
        await other.execute(entering(entered), ORIGIN)
        await one.execute(creating_client(UUID(int=8), subject="s2"), ORIGIN)
        (first, second) = await events_of(log, SubjectMet)
        made = await events_of(log, ClientCreated, ThingMade)
        assert [person_of(event) for event in made] == [person_of(first)] * 3 + [person_of(second)]
        assert person_of(first) != person_of(second)


async def test_a_subject_is_forgotten_with_all_that_was_made_for_it(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(creating_instance(), ORIGIN)
        await executor.execute(creating_client(secret="sealed too"), ORIGIN)
        await executor.execute(making("one"), ORIGIN)
        await executor.execute(RemoveClient(client_id=CLIENT_ID), ORIGIN)
        done = await forgetting(executor, Served((), (), True)).forget_subject(OWNER, "s1", ORIGIN)
        (met,) = await events_of(log, SubjectMet)
        assert done.shown_as == pseudonym(person_of(met))
        created, made = await events_of(log, ClientCreated, ThingMade)
        assert isinstance(created, ClientCreated)
        assert isinstance(made, ThingMade)
        assert (created.subject, created.configuration) == (done.shown_as, {})
        assert made.subject == done.shown_as
        again = await forgetting(executor).forget_subject(OWNER, "s1", ORIGIN)
        assert (again.shown_as, again.position) == (done.shown_as, 0)
        # The same name is somebody else from now on.
        await executor.execute(creating_client(UUID(int=8)), ORIGIN)
        client = await executor.find(CLIENT, UUID(int=8))
        assert client is not None
        assert (client.subject, client.person == person_of(met)) == ("s1", False)
    assert len(await events_of(log, SubjectForgotten)) == 1


async def test_a_subject_that_has_something_is_not_forgotten(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        for served in (Served([CLIENT_ID], [], True), Served([], [CLIENT_ID], True)):
            with pytest.raises(SubjectServedError) as refused:
                await forgetting(executor, served).forget_subject(OWNER, "s1", ORIGIN)
            assert (refused.value.clients, refused.value.things) == (served.clients, served.things)
    assert not await log.everything()


async def test_nobody_is_no_subject_to_forget(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        with pytest.raises(SubjectNotFoundError):
            await forgetting(executor).forget_subject(OWNER, "s1", ORIGIN)
    assert not await log.everything()


async def test_while_nobody_knows_what_there_is_a_subject_is_not_forgotten(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        with pytest.raises(LogUnavailableError):
            await forgetting(executor, Served((), (), True), caught_up=False).forget_subject(OWNER, "s1", ORIGIN)
    assert not await log.everything()


async def test_a_subject_of_before_there_were_keys_is_forgotten_by_a_new_one(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        done = await forgetting(executor, Served((), (), True)).forget_subject(OWNER, "s1", ORIGIN)
        state = await executor.find(SUBJECT, subject_id(OWNER, "s1"))
        assert state is not None
        assert (state.forgotten, done.shown_as) == (True, pseudonym(state.person))


async def test_what_a_client_makes_that_somebody_overlooked_has_no_name(log: LogUnderTest) -> None:
    """It was created while its subject was forgotten."""
    async with running(log.connect(), log.connect()) as (one, other):
        await one.execute(creating_instance(), ORIGIN)
        await one.execute(creating_client(), ORIGIN)
        await other.execute(ForgetSubject(owner=OWNER, subject="s1"), ORIGIN)
        await one.execute(making("one"), ORIGIN)
    async with running(log.connect()) as (executor,):
        (met,) = await events_of(log, SubjectMet)
        made = await executor.find(THING, thing_stream_id(thing("one")))
        assert made is not None
        assert made.subject == pseudonym(person_of(met))
