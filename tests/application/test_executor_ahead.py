"""Deciding the next batch while one is written: faster, and otherwise as if one had waited for the other."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from application import executor as module
from application.command import Receipt
from application.executor import CommandExecutor
from application.identity import DisableUser, EnableUser, RegisterUser
from application.ports import LogUnavailableError, StaleError
from domain.devices.readings import ReadingsRecorded
from domain.identity.user import UserDisabled, UsernameTakenError, UserRegistered
from tests.application.logs import PostgresLogUnderTest, assert_sound, executor_on, running
from tests.facts import ORIGIN, announcing, device_named, reading, sensor_of
from tests.fakes.event_log import FakeEventLog

BOILER = device_named("boiler")
FLOW = sensor_of(BOILER)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 4)


def registering(name: str) -> RegisterUser:
    return RegisterUser(username=name, password_hash="$argon2id$1")


def usernames(log: FakeEventLog) -> list[str]:
    return [recorded.event.username for recorded in log.recorded if isinstance(recorded.event, UserRegistered)]


class Pausing(FakeEventLog):
    """Stops in front of every append until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = asyncio.Queue[asyncio.Event]()
        self.before_append = self._stop

    async def _stop(self) -> None:
        go_on = asyncio.Event()
        self.stopped.put_nowait(go_on)
        await go_on.wait()

    async def ahead(self, executor: CommandExecutor) -> asyncio.Event:
        """Until an append is stopped and the batch behind it was decided."""
        go_on = await self.stopped.get()
        while executor._ahead is None:
            await asyncio.sleep(0)
        return go_on

    def let_through(self) -> None:
        self.before_append = None
        while not self.stopped.empty():
            self.stopped.get_nowait().set()


@asynccontextmanager
async def pausing() -> AsyncIterator[tuple[CommandExecutor, Pausing]]:
    log = Pausing()
    async with executor_on(log).running() as executor:
        yield executor, log
        log.let_through()


def submitted(executor: CommandExecutor, *names: str) -> list[asyncio.Future[Receipt]]:
    return [executor.submit(registering(name), ORIGIN) for name in names]


async def test_the_next_batch_is_decided_on_what_the_one_under_way_changes() -> None:
    async with pausing() as (executor, log):
        answers = submitted(executor, "a", "b", "c", "d", "a", "e", "f", "b")
        go_on = await log.ahead(executor)
        assert not any(answer.done() for answer in answers), "not even those refused: all of it may still be undone"
        log.before_append = None
        go_on.set()
        results = await asyncio.gather(*answers, return_exceptions=True)
    assert [type(result) for result in results].count(UsernameTakenError) == 2
    assert usernames(log) == ["a", "b", "c", "d", "e", "f"]
    assert len(log.appends) == 2
    assert_sound(log.recorded)


async def test_a_batch_decided_on_one_that_was_not_committed_is_decided_again() -> None:
    async with pausing() as (executor, log):
        first = submitted(executor, "a", "b", "c", "d")
        second = submitted(executor, "a", "b", "c", "d")
        go_on = await log.ahead(executor)
        log.before_append, log.away = None, True
        go_on.set()
        await asyncio.wait(first)
        assert all(isinstance(answer.exception(), LogUnavailableError) for answer in first)
        log.away = False
        receipts = await asyncio.gather(*second, return_exceptions=True)
    # Whether the second batch still met the log away depends on when; taken it cannot be.
    assert not any(isinstance(receipt, UsernameTakenError) for receipt in receipts)
    assert_sound(log.recorded)


async def test_a_batch_decided_on_what_another_process_changed_is_decided_again() -> None:
    async with pausing() as (executor, log):
        log.before_append = None
        await executor.execute(registering("ada"), ORIGIN)
        log.before_append = log._stop
        answers = submitted(executor, "a", "b", "c", "d")
        answers += [executor.submit(DisableUser(username="ada", reason="late"), ORIGIN) for _ in range(4)]
        go_on = await log.ahead(executor)
        log.before_append = None
        async with executor_on(log).running() as other:
            await other.execute(DisableUser(username="ada", reason="early"), ORIGIN)
        go_on.set()
        await asyncio.gather(*answers)
    disabled = [recorded.event for recorded in log.recorded if isinstance(recorded.event, UserDisabled)]
    assert disabled == [UserDisabled(reason="early")]
    assert_sound(log.recorded)


async def test_order_holds_when_the_batch_under_way_has_to_be_decided_again() -> None:
    async with pausing() as (executor, log):
        log.before_append = None
        await executor.execute(announcing(BOILER), ORIGIN)
        stale = asyncio.Event()

        async def refuse() -> None:
            log.before_append = None
            await stale.wait()
            raise StaleError(len(log.recorded), None)

        log.before_append = refuse
        answers = [executor.submit(reading(FLOW, n), ORIGIN) for n in range(16)]
        while executor._ahead is None:
            await asyncio.sleep(0)
        stale.set()
        await asyncio.gather(*answers)
    assert values(log) == [float(n) for n in range(16)]
    assert_sound(log.recorded)


async def test_a_caller_who_gives_up_while_decided_ahead_is_not_recorded() -> None:
    async with pausing() as (executor, log):
        answers = submitted(executor, "a", "b", "c", "d", "e", "gives up", "f", "g")
        go_on = await log.ahead(executor)
        answers[5].cancel()
        log.before_append = None
        go_on.set()
        await asyncio.gather(*answers, return_exceptions=True)
    assert usernames(log) == ["a", "b", "c", "d", "e", "f", "g"]
    assert_sound(log.recorded)


async def test_shutting_down_commits_what_was_decided_ahead() -> None:
    async with pausing() as (executor, log):
        answers = submitted(executor, *"abcdefghijkl")
        go_on = await log.ahead(executor)
        log.before_append = None
        asyncio.get_running_loop().call_soon(go_on.set)
    assert all(answer.result() for answer in answers)
    assert usernames(log) == list("abcdefghijkl")


async def test_what_the_batch_under_way_changes_is_known_however_little_is_kept() -> None:
    log = FakeEventLog()
    async with executor_on(log, cached=2).running() as executor:
        answers = submitted(executor, *"abcdabcd")
        results = await asyncio.gather(*answers, return_exceptions=True)
    assert [type(result) for result in results].count(UsernameTakenError) == 4
    assert_sound(log.recorded)


@pytest.mark.parametrize("seed", range(3))
async def test_two_busy_processes_that_decide_ahead_lose_and_double_nothing(
    postgres_log: PostgresLogUnderTest, seed: int
) -> None:
    log = postgres_log
    chance = random.Random(seed)
    names = [f"user {n}" for n in range(3)]
    async with running(log.connect(), log.connect()) as executors:
        await executors[0].execute(announcing(BOILER), ORIGIN)
        for name in names:
            await executors[0].execute(registering(name), ORIGIN)
        answers = []
        for n in range(300):
            executor = chance.choice(executors)
            kind = chance.random()
            if kind < 0.8:
                answers.append(executor.submit(reading(FLOW, n), ORIGIN))
            elif kind < 0.9:
                answers.append(executor.submit(DisableUser(username=chance.choice(names), reason=str(n)), ORIGIN))
            else:
                answers.append(executor.submit(EnableUser(username=chance.choice(names)), ORIGIN))
            if chance.random() < 0.05:
                await asyncio.sleep(0)
        receipts = await asyncio.gather(*answers)
    events = await log.everything()
    assert_sound(events)
    at = {recorded.position: recorded.event for recorded in events}
    for receipt in receipts:
        assert [at[receipt.first + index] for index in range(len(receipt.events))] == list(receipt.events)
    disabled: dict[object, bool] = {}
    for recorded in events:
        if type(recorded.event).__name__ in ("UserDisabled", "UserEnabled"):
            now = isinstance(recorded.event, UserDisabled)
            assert disabled.get(recorded.aggregate_id, False) != now, "what was already so is recorded by nobody"
            disabled[recorded.aggregate_id] = now


def values(log: FakeEventLog) -> list[float]:
    events = [recorded.event for recorded in log.recorded]
    return [one.value for event in events if isinstance(event, ReadingsRecorded) for one in event.readings]
