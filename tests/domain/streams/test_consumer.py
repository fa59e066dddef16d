import pytest

from domain.streams.consumer import (
    CONSUMER,
    ConsumerInvalidError,
    ConsumerRegistered,
    ConsumerUnregistered,
    NotRegisteredError,
    RegisteredOtherwiseError,
    register,
    require,
    unregister,
)
from tests.domain.specification import given

REGISTERED = ConsumerRegistered(consumer_id="1", owner="user:1", group="g", topics=("t", "u"))
GONE = ConsumerUnregistered(consumer_id="1", group="g", why="expired")


def test_a_consumer_is_registered_once() -> None:
    given(CONSUMER).when(lambda consumer: register(consumer, "1", "user:1", "g", ("t", "u"))).then(REGISTERED)


@pytest.mark.parametrize(("group", "topics"), [("h", ("t", "u")), ("g", ("u", "t")), ("g", ("t",)), ("g", ("t",) * 2)])
def test_a_consumer_that_is_registered_asks_for_nothing_else(group: str, topics: tuple[str, ...]) -> None:
    given(CONSUMER, REGISTERED).when(lambda consumer: register(consumer, "1", "user:1", group, topics)).then_refused(
        RegisteredOtherwiseError, "streams.consumer_registered_otherwise"
    )


def test_nobody_registers_without_an_id_or_a_topic() -> None:
    for id, topics in (("", ("t",)), ("1", ())):
        given(CONSUMER).when(
            lambda consumer, id=id, topics=topics: register(consumer, id, "user:1", "g", topics)
        ).then_refused(ConsumerInvalidError, "streams.consumer_invalid")


def test_who_is_gone_may_come_back_otherwise() -> None:
    given(CONSUMER, REGISTERED).when(lambda consumer: unregister(consumer, "expired")).then(GONE)
    gone = given(CONSUMER, REGISTERED, GONE)
    assert list(register(gone.state, "1", "user:1", "h", ("t",)))
    with pytest.raises(NotRegisteredError):
        require(gone.state, "user:1")


def test_it_is_there_for_whoever_registered_it_only() -> None:
    state = given(CONSUMER, REGISTERED).state
    assert require(state, "user:1") is state
    for wrong in ("user:2", "anonymous"):
        with pytest.raises(NotRegisteredError):
            require(state, wrong)
        with pytest.raises(RegisteredOtherwiseError):
            register(state, "1", wrong, "g", ("t", "u"))
    anybodys = given(CONSUMER, *register(None, "1", "anonymous", "g", ("t",))).state
    assert require(anybodys, "user:2") is anybodys
