"""A connector type of the tests, and the runtime on a log in memory: what the other side does is said by the test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from application.command import Command
from application.connectors.configuration import Configuration
from application.connectors.connector_type import (
    ActionOutcome,
    AskedOfThing,
    ClientLine,
    ClientSettings,
    ConnectorType,
    Description,
    InstanceSettings,
    OutageError,
    Taken,
)
from application.connectors.pace import Pace
from application.connectors.records import PublicationRecord
from application.connectors.runtime import ConnectorRuntime
from application.connectors.types import ConnectorTypes
from application.executor import CommandExecutor
from domain.connectors.client import CLIENT, Client
from domain.event import Event
from tests.application.connectors.facts import CLIENT_ID, creating_client, creating_instance
from tests.application.logs import executor_on
from tests.clock import clock
from tests.facts import ORIGIN
from tests.fakes.connector_records import FakeConnectorRecords
from tests.fakes.event_log import FakeEventLog

QUICK = Pace(
    handover=0.0,
    look=0.005,
    retry_first=0.005,
    retry_most=0.02,
    max_failures=5,
    start_within=5.0,
    service_within=0.02,
    user_within=0.02,
)
SECONDS = 10.0


class NoSeals:
    def seal(self, secrets: Mapping[str, Any]) -> str:
        return ""

    def open(self, sealed: str) -> Mapping[str, Any]:
        return {}


class Lamps:
    """`run` is what each connection does; `taken` what the service says when it is asked."""

    description = Description(90, "lamps", "Lamps", "", "", {}, {})

    def __init__(self) -> None:
        self.run: Callable[[ClientSettings, ClientLine], Any] = self.works
        self.remove: Callable[[], Any] = asyncio.Event
        self.opened: list[ClientSettings] = []
        self.asked = 0
        self.at_work = 0
        self.taken: list[Taken | Exception] = []
        self.installed: list[Taken | Exception] = [Taken()]

    async def works(self, client: ClientSettings, line: ClientLine) -> None:
        await line.started()
        await asyncio.Event().wait()

    def check_instance(self, given: Mapping[str, Any]) -> Configuration:
        return Configuration(given, {})

    def check_client(self, given: Mapping[str, Any], instance: Mapping[str, Any], subject: str) -> Configuration:
        return Configuration(given, {})

    def open(self, client: ClientSettings, line: ClientLine) -> "Lamp":
        self.opened.append(client)
        return Lamp(self, client, line)


class AskingLamps(Lamps):
    async def take_instance(self, instance: InstanceSettings) -> Taken:
        return _said(self.installed)

    async def drop_instance(self, instance: InstanceSettings) -> None:
        return

    async def take_client(self, client: ClientSettings) -> Taken:
        self.asked += 1
        return _said(self.taken)


def _said(answers: list[Taken | Exception]) -> Taken:
    """The next one, the last for ever."""
    said = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(said, Exception):
        raise said
    return said


class Lamp:
    def __init__(self, lamps: Lamps, client: ClientSettings, line: ClientLine) -> None:
        self._lamps = lamps
        self._client = client
        self._line = line

    async def run(self) -> None:
        self._lamps.at_work += 1
        try:
            await self._lamps.run(self._client, self._line)
        finally:
            self._lamps.at_work -= 1

    async def act(self, asked: AskedOfThing) -> ActionOutcome:
        if asked.action_id == "away":
            raise OutageError("away")
        return ActionOutcome(reason=f"{asked.action_id} is not done")

    async def remove(self) -> None:
        said = self._lamps.remove()
        if isinstance(said, Exception):
            raise said


class HeldLease:
    """One that the test gives and takes."""

    def __init__(self) -> None:
        self.held = asyncio.Event()
        self.taken = asyncio.Event()
        self.held.set()

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def until_held(self) -> None:
        await self.held.wait()

    async def until_taken(self) -> None:
        await self.taken.wait()


@dataclass
class House:
    """A log with an instance and a client on it, and what runs it."""

    lamps: Lamps
    log: FakeEventLog
    executor: CommandExecutor
    runtime: ConnectorRuntime
    lease: HeldLease
    task: "asyncio.Task[None] | None" = None
    others: list[Any] = field(default_factory=list)

    async def do(self, command: Command) -> None:
        await self.executor.execute(command, ORIGIN)

    async def client(self, id: UUID = CLIENT_ID) -> Client | None:
        return await self.executor.find(CLIENT, id)

    def events_of(self, id: UUID = CLIENT_ID) -> list[Event]:
        return [recorded.event for recorded in self.log.recorded if recorded.aggregate_id == id]

    def names_of(self, id: UUID = CLIENT_ID) -> list[str]:
        return [type(event).__name__ for event in self.events_of(id)]

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(SECONDS):
            while not holds():
                await asyncio.sleep(0.005)

    async def until_recorded(self, name: str, times: int = 1, id: UUID = CLIENT_ID) -> None:
        await self.until(lambda: self.names_of(id).count(name) >= times)

    def start(self) -> None:
        self.task = asyncio.create_task(self.runtime.run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


def runtime_on(
    log: FakeEventLog,
    executor: CommandExecutor,
    lamps: Lamps,
    lease: HeldLease,
    aged: Callable[[datetime], datetime] = lambda at: at,
    pace: Pace = QUICK,
    next_move: Callable[[], asyncio.Event] | None = None,
) -> ConnectorRuntime:
    records = FakeConnectorRecords(log, aged)
    types = ConnectorTypes([lamps], _nobodys, records, NoSeals())
    return ConnectorRuntime(types, records, executor, lease, clock, pace, next_move)


@asynccontextmanager
async def house(
    lamps: Lamps, *, aged: Callable[[datetime], datetime] = lambda at: at, pace: Pace = QUICK, **client: Any
) -> AsyncIterator[House]:
    """`client` is how the client is created. Its runtime is not started yet."""
    log = FakeEventLog()
    async with executor_on(log, clock=clock).running() as executor:
        lease = HeldLease()
        built = House(lamps, log, executor, runtime_on(log, executor, lamps, lease, aged, pace), lease)
        await built.do(creating_instance())
        await built.do(creating_client(**client))
        try:
            yield built
        finally:
            await built.stop()


def _nobodys(publication: PublicationRecord) -> ConnectorType:
    raise AssertionError("nothing is published here")
