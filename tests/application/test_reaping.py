"""Links of holders that are gone are closed on the record; those of the living never are."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest

from application.devices.link import OpenLink
from application.devices.reaping import LinkReaper
from application.executor import CommandExecutor
from application.ports import LogUnavailableError
from domain.devices.link import LinkClosed
from tests.application.logs import running
from tests.facts import ORIGIN
from tests.fakes.event_log import FakeEventLog


class Held(NamedTuple):
    device: str
    device_id: UUID | None
    connection_id: UUID
    through: str = "websocket"


class Fleet:
    """Two holders with a link each, in a log; a clock; and signs that the test takes down."""

    def __init__(self, log: FakeEventLog, executor: CommandExecutor) -> None:
        self._log = log
        self._executor = executor
        self.links = {holder: Held(f"dev of {holder}", None, uuid4()) for holder in ("a", "b")}
        self.signs = {"a", "b"}
        self.now = 0.0
        self.look_takes = 0.0
        self.reaper = LinkReaper(executor, self.holders, self.held_by, self.living, lambda: self.now)

    async def connect(self) -> None:
        for holder, link in self.links.items():
            await self._executor.execute(
                OpenLink(
                    device=link.device,
                    connection_id=link.connection_id,
                    holder=holder,
                    through="websocket",
                    name="",
                    type="",
                    user_agent="",
                    remote_address="",
                ),
                ORIGIN,
            )

    async def holders(self) -> Sequence[str]:
        return ["", *self.links]

    async def held_by(self, holder: str) -> Sequence[Held]:
        return [self.links[holder]]

    async def living(self, holders: Sequence[str]) -> Collection[str]:
        if self._log.away:
            raise LogUnavailableError("away")
        assert "" not in holders
        self.now += self.look_takes
        return self.signs

    async def look(self, times: int = 1) -> None:
        """Every two seconds."""
        for _ in range(times):
            await self.reaper.look()
            self.now += 2

    def closed(self) -> list[tuple[str, str]]:
        events = [recorded.event for recorded in self._log.recorded]
        return [(event.holder, event.reason) for event in events if isinstance(event, LinkClosed)]


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    log = FakeEventLog()
    async with running(log) as (executor,):
        fleet = Fleet(log, executor)
        await fleet.connect()
        yield fleet


async def test_who_holds_up_a_sign_is_left_alone(fleet: Fleet) -> None:
    await fleet.look(20)
    assert fleet.closed() == []


async def test_who_has_had_no_sign_for_ten_seconds_is_gone(fleet: Fleet) -> None:
    fleet.signs = {"a"}
    await fleet.look(5)
    assert fleet.closed() == []
    await fleet.look()
    assert fleet.closed() == [("b", "the server that held it is gone")]
    await fleet.look(3)
    assert len(fleet.closed()) == 1


async def test_who_comes_back_has_all_the_time_again(fleet: Fleet) -> None:
    fleet.signs = {"a"}
    await fleet.look(5)
    fleet.signs = {"a", "b"}
    await fleet.look()
    fleet.signs = {"a"}
    await fleet.look(5)
    assert fleet.closed() == []


async def test_an_outage_of_the_database_reaps_nobody(fleet: Fleet) -> None:
    fleet.signs = set()
    await fleet.look(5)
    fleet.now += 60  # nobody could look
    await fleet.look(5)
    assert fleet.closed() == []
    await fleet.look()
    assert len(fleet.closed()) == 2


async def test_a_database_that_is_slow_reaps_nobody(fleet: Fleet) -> None:
    fleet.signs = set()
    fleet.look_takes = 5.0
    await fleet.look(10)
    assert fleet.closed() == []
