"""The command executor before a log that neither answers nor refuses, as behind a network that swallows packets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.eventstore.log import PostgresEventLog
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.recorder import LogRecorder
from application.command import Receipt
from application.executor import CommandExecutor, OutcomeUnknownError
from application.ports import LogUnavailableError
from domain.catalogue import CATALOGUE
from domain.devices.device import DEVICE
from domain.devices.readings import ReadingsRecorded
from domain.identity.user import UserRegistered
from tests.application.logs import AddUser, everything_in, executor_on, running
from tests.facts import ORIGIN, announcing, device_named, reading, sensor_of
from tests.fakes.event_log import FakeEventLog
from tests.servers import frozen

BOILER = device_named("boiler")
FLOW = sensor_of(BOILER)


def registering(name: str) -> AddUser:
    return AddUser(username=name, password_hash="$argon2id$1")


def usernames(log: FakeEventLog) -> list[str]:
    return [recorded.event.username for recorded in log.recorded if isinstance(recorded.event, UserRegistered)]


@asynccontextmanager
async def hanging() -> AsyncIterator[tuple[CommandExecutor, FakeEventLog, asyncio.Event]]:
    """An executor of little patience whose log keeps the next append until the event is set."""
    log, answers, asked = FakeEventLog(), asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        asked.set()
        await answers.wait()

    async with executor_on(log, patience=0.05).running() as executor:
        log.before_append = hang
        under_way = asyncio.create_task(executor.execute(registering("under way"), ORIGIN))
        await asked.wait()
        yield executor, log, answers
        with pytest.raises(OutcomeUnknownError):
            await under_way
        answers.set()


async def test_who_is_under_way_is_told_that_nobody_knows() -> None:
    async with hanging() as (_, log, _):
        pass
    assert usernames(log) == ["under way"], "and rightly so"


async def test_who_is_queued_is_refused_and_never_recorded() -> None:
    async with hanging() as (executor, log, _):
        with pytest.raises(LogUnavailableError) as refused:
            await executor.execute(registering("queued"), ORIGIN)
        assert not isinstance(refused.value, OutcomeUnknownError)
    assert usernames(log) == ["under way"]


async def test_who_comes_later_is_refused_at_once() -> None:
    async with hanging() as (executor, log, _):
        with pytest.raises(LogUnavailableError):
            await executor.execute(registering("queued"), ORIGIN)
        later = executor.execute(registering("later"), ORIGIN)
        with pytest.raises(LogUnavailableError):
            later.send(None)  # without waiting for anything
    assert usernames(log) == ["under way"]


async def test_who_can_wait_is_answered_when_the_log_answers() -> None:
    async with hanging() as (executor, log, answers):
        patient = executor.submit(registering("patient"), ORIGIN)
        with pytest.raises(LogUnavailableError):
            await executor.execute(registering("queued"), ORIGIN)
        answers.set()
        assert isinstance(await patient, Receipt)
        assert isinstance(await executor.execute(registering("afterwards"), ORIGIN), Receipt)
    assert usernames(log) == ["under way", "patient", "afterwards"]


async def test_shutting_down_ends_and_answers_everybody() -> None:
    log = FakeEventLog()
    log.before_append = asyncio.Event().wait  # type: ignore[assignment]  # for ever
    async with asyncio.timeout(5), executor_on(log, patience=0.05).running() as executor:
        answers = [executor.submit(registering(name), ORIGIN) for name in ("ada", "bob")]
    assert all(isinstance(answer.exception(), LogUnavailableError) for answer in answers)
    assert log.recorded == []


# On PostgreSQL


async def values_in(url: str) -> list[float]:
    events = [recorded.event for recorded in await everything_in(url)]
    return [reading.value for event in events if isinstance(event, ReadingsRecorded) for reading in event.readings]


async def test_behind_a_frozen_server_callers_are_told_soon_and_what_it_took_is_there_once(
    own_postgres: EmbeddedPostgres,
) -> None:
    async with (
        PostgresEventLog(own_postgres.url, Mapper(CATALOGUE)) as log,
        executor_on(log, patience=0.5).running() as executor,
    ):
        await executor.execute(announcing(BOILER), ORIGIN)
        async with asyncio.timeout(15):
            with frozen(own_postgres):
                patient = executor.submit(reading(FLOW, 1), ORIGIN)
                with pytest.raises(OutcomeUnknownError):
                    await executor.execute(reading(FLOW, 2), ORIGIN)
                with pytest.raises(LogUnavailableError, match="does not answer"):
                    await executor.execute(reading(FLOW, 3), ORIGIN)
                with pytest.raises(LogUnavailableError):
                    await executor.find(DEVICE, device_named("pump"))
            assert (await patient).first == 4
        await executor.execute(reading(FLOW, 4), ORIGIN)
    assert await values_in(own_postgres.url) == [1, 2, 4]


async def test_in_front_of_a_frozen_server_shutting_down_ends(own_postgres: EmbeddedPostgres) -> None:
    with ExitStack() as until_stopped:
        async with (
            asyncio.timeout(15),
            PostgresEventLog(own_postgres.url, Mapper(CATALOGUE)) as log,
            executor_on(log, patience=0.5).running() as executor,
        ):
            await executor.execute(announcing(BOILER), ORIGIN)
            until_stopped.enter_context(frozen(own_postgres))
            under_way = executor.submit(reading(FLOW, 1), ORIGIN)
        assert isinstance(under_way.exception(), OutcomeUnknownError)


async def test_an_append_whose_answer_was_lost_ends_when_the_server_is_back_and_can_tell(
    own_postgres: EmbeddedPostgres,
) -> None:
    original = LogRecorder._insert_at

    def insert_at(self: LogRecorder, connection: Any, rows: Any, head: int) -> bool:
        inserted = original(self, connection, rows, head)
        if own_postgres.is_alive and head == 3:
            own_postgres.kill()
            while True:  # until it fails: what serves a connection outlives the server by a moment
                connection.execute("SELECT 1")
        return inserted

    async with PostgresEventLog(own_postgres.url, Mapper(CATALOGUE)) as log, running(log) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LogRecorder, "_insert_at", insert_at)
            answer = executor.submit(reading(FLOW, 1), ORIGIN)
            await asyncio.wait({answer}, timeout=1)
            assert not answer.done(), "nobody can know yet"
        await asyncio.to_thread(own_postgres.restart)
        assert (await answer).first == 4
    assert await values_in(own_postgres.url) == [1]
