import asyncio
from collections.abc import AsyncIterator, Mapping
from uuid import UUID

import pytest

from application.ports import LogUnavailableError
from application.streams.deliveries import PATIENCE_SECONDS, Deliveries
from domain.streams.group import DeliveryUnsettledError, Outcome

ONE, OTHER = UUID(int=1), UUID(int=2)


class Table:
    """What every process sees."""

    def __init__(self) -> None:
        self.arrived: dict[str, UUID] = {}
        self.writes = 0
        self.is_away = False

    async def note_arrived(self, deliveries: Mapping[str, UUID]) -> None:
        if self.is_away:
            raise LogUnavailableError("away")
        self.writes += 1
        await asyncio.sleep(0.01)
        self.arrived.update(deliveries)

    async def last_arrived(self, consumer_id: str) -> UUID | None:
        return self.arrived.get(consumer_id)

    async def forget_arrived(self, seconds: float) -> None:
        raise AssertionError(f"nothing is {seconds} s old")


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
async def here(table: Table) -> AsyncIterator[Deliveries]:
    deliveries = Deliveries(table)
    running = asyncio.create_task(deliveries.run())
    yield deliveries
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_where_it_was_answered_it_is_known_at_once(here: Deliveries) -> None:
    here.tell("c", ONE, arrived=True)
    here.tell("c", OTHER, arrived=False)
    async with asyncio.timeout(PATIENCE_SECONDS / 2):
        assert await here.settle(ONE, "c") == Outcome(id=ONE, arrived=True)
        assert await here.settle(OTHER, "c") == Outcome(id=OTHER, arrived=False)
        assert await here.settle(None, "c") is None


async def test_elsewhere_it_is_known_when_it_is_written_down(here: Deliveries, table: Table) -> None:
    elsewhere = Deliveries(table)
    asked = asyncio.create_task(elsewhere.settle(ONE, "c"))
    await asyncio.sleep(0)
    here.tell("c", ONE, arrived=True)
    assert await asked == Outcome(id=ONE, arrived=True)


async def test_what_nobody_writes_down_was_lost(table: Table) -> None:
    table.arrived["c"] = OTHER
    assert await Deliveries(table).settle(ONE, "c") == Outcome(id=ONE, arrived=False)


async def test_many_are_written_down_at_once_and_none_is_forgotten_when_the_database_is_away(
    here: Deliveries, table: Table
) -> None:
    table.is_away = True
    for number in range(1_000):
        here.tell(f"c{number}", UUID(int=number), arrived=True)
    await asyncio.sleep(0.05)
    here.tell("c7", OTHER, arrived=True)
    table.is_away = False
    async with asyncio.timeout(10):
        while len(table.arrived) < 1_000:
            await asyncio.sleep(0.01)
    assert table.arrived["c7"] == OTHER, "the newer one counts"
    assert table.writes < 5


async def test_at_the_end_the_rest_is_written_down(table: Table) -> None:
    deliveries = Deliveries(table)
    running = asyncio.create_task(deliveries.run())
    await asyncio.sleep(0)
    deliveries.tell("c", ONE, arrived=True)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert table.arrived == {"c": ONE}


async def test_it_is_asked_again_with_the_outcome(here: Deliveries) -> None:
    here.tell("c", ONE, arrived=True)
    asked: list[Outcome | None] = []

    async def ask(outcome: Outcome | None) -> str:
        asked.append(outcome)
        if outcome is None:
            raise DeliveryUnsettledError(ONE)
        return "done"

    assert await here.settling("c", ask) == "done"
    assert asked == [None, Outcome(id=ONE, arrived=True)]
