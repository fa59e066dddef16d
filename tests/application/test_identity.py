"""Accounts over several processes: who is the first, and what stops the guessing of passwords."""

import asyncio
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from application.command import Receipt
from application.executor import CommandExecutor
from application.identity import AcceptLogin, RefuseLogin, RegisterUser, TryLogin
from application.ports import EventLog
from domain.event import Origin
from domain.identifiers import REGISTRY_ID, user_id
from domain.identity.logins import LoginsBlocked, SourceBlocked, SourceRecognised, TooManyFailuresError
from domain.identity.registry import NotFirstError, RegistryOpened
from domain.identity.user import UserRegistered
from tests.application.logs import HANDLERS, LogUnderTest, assert_sound, running
from tests.facts import NOON

ADA = user_id("ada")
HERE, THERE = "203.0.113.7", "203.0.113.8"
ORIGIN = Origin(actor="system:login", source="http", correlation_id="c-1")
MIDNIGHT = datetime(2026, 1, 15, tzinfo=NOON.tzinfo)


def registering(name: str, *, only_first: bool) -> RegisterUser:
    return RegisterUser(username=name, password_hash="$argon2id$1", only_first=only_first)


def failing(user: UUID = ADA, source: str = HERE) -> RefuseLogin:
    return RefuseLogin(user_id=user, source=source, limit=20)


async def test_of_many_in_several_processes_one_is_the_first(log: LogUnderTest) -> None:
    async with running(*(log.connect() for _ in range(3))) as executors:
        attempts = [
            executor.execute(registering(f"user {number}-{n}", only_first=True), ORIGIN)
            for number, executor in enumerate(executors)
            for n in range(20)
        ]
        answers = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(answer, Receipt) for answer in answers) == 1
    assert sum(isinstance(answer, NotFirstError) for answer in answers) == 59
    everything = await log.everything()
    assert_sound(everything)
    assert [type(recorded.event) for recorded in everything] == [UserRegistered, RegistryOpened]
    assert (everything[1].aggregate_id, everything[1].event) == (
        REGISTRY_ID,
        RegistryOpened(user_id=everything[0].aggregate_id),
    )


async def test_the_first_account_counts_however_it_was_made(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(registering("ada", only_first=False), ORIGIN)
        await executor.execute(registering("bob", only_first=False), ORIGIN)
        with pytest.raises(NotFirstError):
            await executor.execute(registering("eve", only_first=True), ORIGIN)
    assert [type(recorded.event) for recorded in await log.everything()].count(RegistryOpened) == 1


async def test_failures_in_several_processes_count_together(log: LogUnderTest) -> None:
    async with running(log.connect(), log.connect()) as executors:
        for n in range(20):
            await executors[n % 2].execute(failing(), ORIGIN)
        for executor in executors:
            assert await refused(executor.execute(TryLogin(user_id=ADA, source=HERE), ORIGIN)) == 60
            assert await refused(executor.execute(failing(), ORIGIN)) == 60
            assert await refused(executor.execute(AcceptLogin(user_id=ADA, source=HERE), ORIGIN)) == 60
            assert await refused(executor.execute(TryLogin(user_id=ADA, source=THERE), ORIGIN)) == 60
            await executor.execute(TryLogin(user_id=user_id("bob"), source=THERE), ORIGIN)
    recorded = [type(recorded.event) for recorded in await log.everything()]
    assert (recorded.count(LoginsBlocked), recorded.count(SourceBlocked)) == (1, 1)
    assert len(recorded) == 42


async def test_after_a_minute_the_door_is_open_again(log: LogUnderTest) -> None:
    clock = Clock(NOON)
    async with executor_at(log.connect(), clock) as executor:
        for _ in range(20):
            await executor.execute(failing(), ORIGIN)
        clock.now += timedelta(seconds=59)
        assert await refused(executor.execute(failing(), ORIGIN)) == 1
        clock.now += timedelta(seconds=1)
        for _ in range(20):
            await executor.execute(failing(), ORIGIN)
        assert await refused(executor.execute(failing(), ORIGIN)) == 60


async def test_a_failure_before_midnight_counts_after_it(log: LogUnderTest) -> None:
    clock = Clock(MIDNIGHT - timedelta(seconds=5))
    async with executor_at(log.connect(), clock) as executor:
        for _ in range(10):
            await executor.execute(failing(), ORIGIN)
        clock.now += timedelta(seconds=10)
        for _ in range(10):
            await executor.execute(failing(), ORIGIN)
        assert await refused(executor.execute(failing(), ORIGIN)) == 60
        clock.now += timedelta(seconds=50)
        assert await refused(executor.execute(failing(), ORIGIN)) == 10
    async with executor_at(log.connect(), Clock(MIDNIGHT + timedelta(seconds=30))) as another:
        assert await refused(another.execute(failing(), ORIGIN)) == 35


async def test_who_was_here_before_is_not_locked_out_by_failures_elsewhere(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        for _ in range(3):
            await executor.execute(AcceptLogin(user_id=ADA, source=THERE), ORIGIN)
        for n in range(20):
            await executor.execute(failing(source=f"198.51.100.{n}"), ORIGIN)
        assert await refused(executor.execute(TryLogin(user_id=ADA, source=HERE), ORIGIN)) == 60
        await executor.execute(TryLogin(user_id=ADA, source=THERE), ORIGIN)
        await executor.execute(AcceptLogin(user_id=ADA, source=THERE), ORIGIN)
        # Failures there go on counting for the source, and for the user not beyond the lock.
        await executor.execute(failing(source=THERE), ORIGIN)
    recorded = [type(recorded.event) for recorded in await log.everything()]
    assert recorded.count(SourceRecognised) == 1
    assert recorded.count(LoginsBlocked) == 1


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def executor_at(log: EventLog, clock: Clock) -> AbstractAsyncContextManager[CommandExecutor]:
    return CommandExecutor(log, HANDLERS, clock).running()


async def refused(attempt: Awaitable[Receipt]) -> int:
    """After how many seconds it may be tried again."""
    with pytest.raises(TooManyFailuresError) as refusal:
        await attempt
    return refusal.value.seconds
