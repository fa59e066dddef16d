"""Event logs to run the same tests on: the real one and the fake."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol
from uuid import UUID

from adapters.eventstore.log import PostgresEventLog
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from application import connectors, devices, identity
from application.command import Aggregates, Change, Command, Handler, change
from application.devices.link import registered
from application.executor import CommandExecutor
from application.metrics import reports
from application.policies.things import ThingsAsDevices
from application.ports import Clock, EventLog
from domain.catalogue import CATALOGUE
from domain.devices.device import DEVICE
from domain.event import Recorded
from domain.identifiers import user_id
from domain.identity import user
from domain.identity.user import USER
from tests.facts import NOON
from tests.fakes.event_log import FakeEventLog
from tests.persons import PERSON


class AddUser(Command):
    """Registers and is always one event, however many have registered before: what the executor does can be counted."""

    username: str
    password_hash: str
    person: UUID = PERSON


def add_user(command: AddUser, aggregates: Aggregates) -> Sequence[Change]:
    id = user_id(command.username)
    return [
        change(
            USER,
            id,
            user.register(aggregates.find(USER, id), command.person, command.username, command.password_hash, None),
        )
    ]


HANDLERS: Mapping[type[Command], Handler] = {
    **identity.HANDLERS,
    **devices.HANDLERS,
    **reports.handlers(DEVICE, registered),
    **connectors.handlers(ThingsAsDevices()),
    AddUser: add_user,
}


class LogUnderTest(Protocol):
    """One log. `connect()` is what each process has of it; `everything()` is all that it holds."""

    def connect(self) -> EventLog: ...

    async def everything(self) -> list[Recorded]: ...


class PostgresLogUnderTest:
    def __init__(self, url: str) -> None:
        self.url = url
        self._connected: list[PostgresEventLog] = []

    def connect(self) -> PostgresEventLog:
        log = PostgresEventLog(self.url, Mapper(CATALOGUE))
        self._connected.append(log)
        return log

    async def everything(self) -> list[Recorded]:
        return await everything_in(self.url)

    async def close(self) -> None:
        for log in self._connected:
            await log.__aexit__()


class FakeLogUnderTest:
    def __init__(self) -> None:
        self.log = FakeEventLog()

    def connect(self) -> FakeEventLog:
        return self.log

    async def everything(self) -> list[Recorded]:
        return list(self.log.recorded)


async def everything_in(url: str) -> list[Recorded]:
    reader = PostgresLogReader(url, Mapper(CATALOGUE))
    try:
        return await reader.read(0, 1_000_000)
    finally:
        await reader.close()


def executor_on(log: EventLog, clock: Clock = lambda: NOON, **options: Any) -> CommandExecutor:
    return CommandExecutor(log, HANDLERS, clock, **options)


@asynccontextmanager
async def running(*logs: EventLog) -> AsyncIterator[tuple[CommandExecutor, ...]]:
    """An executor on each log, as if each were a process."""
    executors = tuple(executor_on(log) for log in logs)
    entered = []
    try:
        for executor in executors:
            life = executor.running()
            await life.__aenter__()
            entered.append(life)
        yield executors
    finally:
        for life in reversed(entered):
            await life.__aexit__(None, None, None)


def assert_sound(events: list[Recorded]) -> None:
    """Positions without gaps from 1, versions of every aggregate without gaps from 1, every event once."""
    assert [event.position for event in events] == list(range(1, len(events) + 1))
    versions: dict[object, int] = {}
    for event in events:
        versions[event.aggregate_id] = versions.get(event.aggregate_id, 0) + 1
        assert event.version == versions[event.aggregate_id]
    assert len({event.envelope.id for event in events}) == len(events)
