from uuid import UUID

import pytest

from domain.connectors.client import (
    CLIENT,
    MOST_THINGS,
    Client,
    ClientAdmitted,
    ClientCreated,
    ClientFailed,
    ClientRedirected,
    ClientRemovalRefused,
    ClientRemoved,
    ClientResumed,
    ClientStarted,
    ClientThingGained,
    ClientThingLost,
    TooManyThingsError,
    admit,
    fail,
    gain,
    lose,
    redirect,
    refuse_removal,
    resume,
    start,
)
from tests.domain.specification import given
from tests.persons import PERSON

INSTANCE = UUID(int=1)
ONE, TWO = UUID(int=11), UUID(int=12)
PAGE = "https://agree.example/1"


def created(awaits: str = "worker") -> ClientCreated:
    return ClientCreated(
        person=PERSON,
        owner="o1",
        subject="s1",
        type_id="lamps",
        instance_id=INSTANCE,
        configuration={"things": 2},
        awaits=awaits,  # type: ignore[arg-type]  # shorthand of the tests
    )


STARTED, FAILED = ClientStarted(), ClientFailed(reason="gone")


def existing(client: Client | None) -> Client:
    assert client is not None
    return client


def test_a_client_begins_as_starting() -> None:
    state = existing(given(CLIENT, created()).state)
    assert (state.status, state.awaits, state.things) == ("STARTING", "worker", ())


def test_it_starts_once() -> None:
    given(CLIENT, created()).when(start).then(STARTED)
    assert existing(given(CLIENT, created(), STARTED).state).status == "STARTED"


@pytest.mark.parametrize("awaits", ["service", "user"])
def test_nobody_starts_what_nobody_let_in(awaits: str) -> None:
    given(CLIENT, created(awaits)).when(start).then_nothing()


def test_it_fails_once_whatever_the_next_reason() -> None:
    given(CLIENT, created(), STARTED).when(lambda client: fail(client, "gone")).then(FAILED)
    given(CLIENT, created(), STARTED, FAILED).when(lambda client: fail(client, "still gone")).then_nothing()


@pytest.mark.parametrize("before", [STARTED, FAILED])
def test_it_is_resumed_from_started_and_from_error_and_is_starting_then(before: ClientStarted | ClientFailed) -> None:
    resumed = ClientResumed(reason="again")
    given(CLIENT, created(), before).when(lambda client: resume(client, "again")).then(resumed)
    assert existing(given(CLIENT, created(), before, resumed).state).status == "STARTING"


def test_a_client_that_is_starting_is_not_resumed() -> None:
    given(CLIENT, created()).when(lambda client: resume(client, "again")).then_nothing()


def test_out_of_error_it_may_be_started_directly() -> None:
    given(CLIENT, created(), FAILED).when(start).then(STARTED)


def test_its_service_may_send_its_user_to_a_page_and_it_is_starting_until_it_is_admitted() -> None:
    redirected = ClientRedirected(location=PAGE)
    given(CLIENT, created("service")).when(lambda client: redirect(client, PAGE)).then(redirected)
    state = existing(given(CLIENT, created("service"), redirected).state)
    assert (state.awaits, state.status) == ("user", "STARTING")
    given(CLIENT, created("service"), redirected).when(admit).then(ClientAdmitted())
    assert existing(given(CLIENT, created("service"), redirected, ClientAdmitted()).state).awaits == "worker"


def test_what_was_admitted_meanwhile_is_not_sent_to_a_page_any_more() -> None:
    given(CLIENT, created("service"), ClientAdmitted()).when(lambda client: redirect(client, PAGE)).then_nothing()


def test_a_service_may_admit_what_had_failed() -> None:
    given(CLIENT, created("service"), FAILED).when(admit).then(ClientAdmitted())
    assert existing(given(CLIENT, created("service"), FAILED, ClientAdmitted()).state).status == "STARTING"


def test_it_gains_and_loses_things_once_each() -> None:
    gained, lost = ClientThingGained(thing_id=ONE), ClientThingLost(thing_id=ONE)
    given(CLIENT, created()).when(lambda client: gain(existing(client), ONE)).then(gained)
    given(CLIENT, created(), gained).when(lambda client: lose(client, ONE)).then(lost)
    given(CLIENT, created(), gained).when(lambda client: lose(client, TWO)).then_nothing()
    assert existing(given(CLIENT, created(), gained, ClientThingGained(thing_id=TWO), lost).state).things == (TWO,)


def test_it_makes_no_more_than_so_many_things() -> None:
    many = existing(given(CLIENT, created()).state)
    full = Client(**{**{name: getattr(many, name) for name in many.__struct_fields__}, "things": (ONE,) * MOST_THINGS})
    with pytest.raises(TooManyThingsError):
        gain(full, TWO)
    assert gain(full, ONE) == ()


def test_a_refused_removal_changes_nothing() -> None:
    refused = ClientRemovalRefused(reason="it stays")
    state = given(CLIENT, created(), STARTED)
    assert refuse_removal(state.state, "it stays") == (refused,)
    assert state.and_then(refused).state == state.state


def test_nothing_happens_to_what_is_not_there() -> None:
    for decide in (start, admit):
        given(CLIENT).when(decide).then_nothing()
    for reasoned in (fail, resume, refuse_removal, redirect):
        given(CLIENT).when(lambda client, reasoned=reasoned: reasoned(client, "why")).then_nothing()
    assert given(CLIENT, created(), ClientRemoved()).state is None
