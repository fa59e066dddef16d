from uuid import UUID

from domain.connectors.publication import (
    FIRST_NUMBER,
    NUMBERS,
    PUBLICATION,
    ConnectorPublished,
    ConnectorWithdrawn,
    InstanceAdded,
    InstanceDropped,
    NumberGiven,
    Publication,
    PublicationInUseError,
    PublicationNotFoundError,
    PublishedConnector,
    add_instance,
    drop_instance,
    give_number,
    withdraw,
)
from tests.domain.specification import given

GIPHY = PublishedConnector(
    type_id="giphy",
    name="Giphy",
    description="",
    logo="",
    installation_url="http://127.0.0.1:1/installations",
    instance_url="http://127.0.0.1:1/instances",
    action_url="http://127.0.0.1:1/actions",
)
PUBLISHED = ConnectorPublished(
    owner="o1", type_id="giphy", number=FIRST_NUMBER, connector=GIPHY, public_key="k", sealed_key="1:x"
)
INSTANCE = UUID(int=1)


def existing(publication: Publication | None) -> Publication:
    assert publication is not None
    return publication


def test_numbers_begin_behind_those_that_come_with_us_and_are_never_given_twice() -> None:
    assert give_number(None, "a") == (NumberGiven(number=6, type_id="a"),)
    given_twice = given(NUMBERS, NumberGiven(number=6, type_id="a"), NumberGiven(number=7, type_id="b"))
    assert give_number(given_twice.state, "c") == (NumberGiven(number=8, type_id="c"),)


def test_it_stays_while_there_are_instances_of_it() -> None:
    used = given(PUBLICATION, PUBLISHED, InstanceAdded(instance_id=INSTANCE))
    used.when(lambda known: withdraw(existing(known))).then_refused(
        PublicationInUseError, "connectors.publication_in_use"
    )
    free = used.and_then(InstanceDropped(instance_id=INSTANCE))
    assert withdraw(existing(free.state)) == (ConnectorWithdrawn(),)
    assert free.and_then(ConnectorWithdrawn()).state is None


def test_what_was_withdrawn_takes_no_instances_and_loses_none() -> None:
    gone = given(PUBLICATION, PUBLISHED, ConnectorWithdrawn())
    gone.when(lambda known: add_instance(known, INSTANCE)).then_refused(
        PublicationNotFoundError, "connectors.publication_not_found"
    )
    gone.when(lambda known: drop_instance(known, INSTANCE)).then_nothing()
