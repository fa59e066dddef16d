"""Of the connections that a device makes, the newest counts."""

from functools import partial
from uuid import UUID

from domain.devices import link
from domain.devices.link import LINK, Link, LinkClosed, LinkOpened
from domain.identifiers import link_id
from tests.domain.specification import given

DEVICE = UUID(int=1)
FIRST, SECOND = (UUID(int=n) for n in (10, 11))


def opened(connection: UUID, holder: str = "a1") -> LinkOpened:
    return LinkOpened(
        device="robot-1",
        connection_id=connection,
        holder=holder,
        through="websocket",
        name="Robot",
        type="",
        user_agent="curl",
        remote_address="192.0.2.1",
        device_id=DEVICE,
    )


def closed(connection: UUID, reason: str, holder: str = "a1") -> LinkClosed:
    return LinkClosed(device="robot-1", connection_id=connection, holder=holder, reason=reason, device_id=DEVICE)


REPLACED = closed(FIRST, "replaced by a newer connection")


def test_a_connection_is_opened_once() -> None:
    given(LINK).when(partial(link.open, opened=opened(FIRST))).then(opened(FIRST))
    assert given(LINK, opened(FIRST)).state == Link(
        device="robot-1", connection_id=FIRST, holder="a1", device_id=DEVICE
    )


def test_the_newest_connection_wins_wherever_the_older_one_is() -> None:
    newer = opened(SECOND, holder="b2")
    given(LINK, opened(FIRST)).when(partial(link.open, opened=newer)).then(REPLACED, newer)


def test_a_connection_may_give_way_to_one_under_another_name() -> None:
    given(LINK, opened(FIRST)).when(link.give_way).then(REPLACED)
    given(LINK).when(link.give_way).then_nothing()


def test_a_closed_connection_is_gone() -> None:
    gone = closed(FIRST, "gone")
    past = given(LINK, opened(FIRST))
    past.when(partial(link.close, connection_id=FIRST, reason="gone")).then(gone)
    assert past.and_then(gone).state is None
    past.and_then(gone).when(partial(link.open, opened=opened(SECOND))).then(opened(SECOND))


def test_nobody_closes_the_connection_that_replaced_his() -> None:
    past = given(LINK, opened(FIRST), REPLACED, opened(SECOND))
    past.when(partial(link.close, connection_id=FIRST, reason="gone")).then_nothing()
    given(LINK).when(partial(link.close, connection_id=FIRST, reason="gone")).then_nothing()


def test_a_registered_device_has_one_stream_whatever_it_calls_itself() -> None:
    assert link_id("robot-1", DEVICE) == link_id(str(DEVICE), DEVICE)
    assert len({link_id("robot-1", DEVICE), link_id("robot-1", None), link_id("robot-2", None), DEVICE}) == 4
