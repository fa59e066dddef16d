"""Runs all clients of all connectors, in the one worker process that has the lease (docs/adr/0018-connectors.md)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol
from uuid import UUID

from application.connectors.asking import Asking
from application.connectors.client import RefuseClientRemoval, RemoveClient
from application.connectors.connector_type import ActionOutcome, AskedOfThing, Connection, OutageError, ThingStaysError
from application.connectors.pace import Pace
from application.connectors.recorded_line import RecordedLine
from application.connectors.recorder import Recorder
from application.connectors.records import ClientRecord, ConnectorRecords, SealBrokenError
from application.connectors.running_client import RunningClient, described
from application.connectors.types import ConnectorTypes
from application.executor import CommandExecutor
from application.ports import Clock, LogUnavailableError
from domain.connectors.client import CLIENT, ClientNotFoundError
from domain.event import Origin

# What the read model may take to know of a client that the log knows.
SEEN_SECONDS: Final = 2.0
AWAY_SECONDS: Final = 1.0

log = logging.getLogger("tidemark.connectors")


class Lease(Protocol):
    """Filled by `adapters.eventstore.tenure`."""

    async def run(self) -> None: ...

    async def until_held(self) -> None: ...

    async def until_taken(self) -> None:
        """Returns when somebody else is known to have it. That it is lost, as when the database is away, says nothing:
        whoever ran the clients goes on."""


class ConnectorRuntime:
    """`await runtime.run()` in a task, cancelled to stop. `while_running` is for those who take requests for it.

    `next_move` gives an event that is set when read models have moved, so that while nothing happens nobody looks."""

    def __init__(
        self,
        types: ConnectorTypes,
        records: ConnectorRecords,
        executor: CommandExecutor,
        lease: Lease,
        clock: Clock,
        pace: Pace = Pace(),  # noqa: B008  # it cannot change
        next_move: Callable[[], asyncio.Event] | None = None,
    ) -> None:
        self._types = types
        self._records = records
        self._executor = executor
        self._lease = lease
        self._pace = pace
        self._next_move = next_move or _always
        self._recorder = Recorder(executor)
        self._asking = Asking(types, records, self._recorder, pace, clock)
        self._running: dict[UUID, tuple[RunningClient, asyncio.Task[None]]] = {}
        self._position = 0

    async def run(self, while_running: Callable[[], Awaitable[None]] | None = None) -> None:
        """For ever. `while_running` is run whenever the clients are, and cancelled when somebody else runs them."""
        asking = asyncio.create_task(self._lease.run(), name="lease of the connectors")
        try:
            while True:
                await self._lease.until_held()
                await asyncio.sleep(self._pace.handover)
                await self._until_taken(while_running)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await self._recorder.close()

    @property
    def running(self) -> int:
        return len(self._running)

    async def act(self, client_id: UUID, asked: AskedOfThing) -> ActionOutcome:
        """Raises OutageError."""
        connection = self._connection(client_id)
        if connection is None:
            raise OutageError("the client is not connected now")
        try:
            return await connection.act(asked)
        except OutageError:
            raise
        except Exception as defect:
            log.warning("an action of client %s failed: %s", client_id, described(defect))
            raise OutageError(f"the connector failed ({type(defect).__name__})") from defect

    async def remove(self, client_id: UUID, origin: Origin) -> int:
        """The position at which that is recorded. Raises ThingStaysError, ClientNotFoundError, and what the executor
        raises."""
        await self._let_go(client_id, origin)
        receipt = await self._executor.execute(RemoveClient(client_id=client_id), origin)
        await self._stop([client_id])
        return receipt.position

    async def _until_taken(self, while_running: Callable[[], Awaitable[None]] | None) -> None:
        works: list[Callable[[], Awaitable[None]]] = [
            *(self._follow, self._asking.run, self._asking.run_installations, self._lease.until_taken),
            *([while_running] if while_running is not None else []),
        ]
        self._position = 0
        self._asking.clear()
        log.info("running the clients of connectors")
        tasks = [asyncio.ensure_future(work()) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._stop(list(self._running))

    async def _follow(self) -> None:
        while True:
            moved = self._next_move()
            try:
                changed = await self._records.changed_clients(self._position)
            except LogUnavailableError:
                await asyncio.sleep(AWAY_SECONDS)
                continue
            for record in changed.clients:
                self._look_at(record)
            for client_id in changed.gone:
                self._asking.forget(client_id)
            await self._stop(changed.gone)
            self._position = changed.position
            await asyncio.sleep(self._pace.look)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.idle):
                    await moved.wait()

    def _look_at(self, record: ClientRecord) -> None:
        if record.awaits != "worker":
            self._asking.look_at(record)
            return
        self._asking.forget(record.id)
        if record.id in self._running:
            return
        client = RunningClient(record, self._types, self._recorder, self._pace)
        task = asyncio.create_task(client.run(), name=f"connector client {record.id}")
        self._running[record.id] = (client, task)

    async def _stop(self, client_ids: Sequence[UUID]) -> None:
        """Returns when they are at an end, also those that somebody else is stopping already."""
        stopped = [self._running[id][1] for id in client_ids if id in self._running]
        for task in stopped:
            if not task.cancelling():
                task.cancel()
        await asyncio.gather(*stopped, return_exceptions=True)
        for id in client_ids:
            self._running.pop(id, None)

    def _connection(self, client_id: UUID) -> Connection | None:
        running = self._running.get(client_id)
        return running[0].connection if running is not None else None

    async def _let_go(self, client_id: UUID, origin: Origin) -> None:
        """The connection agrees; one that is not open is opened for that."""
        try:
            connection = self._connection(client_id) or await self._opened(client_id)
            if connection is not None:
                await connection.remove()
        except ThingStaysError as stays:
            refused = RefuseClientRemoval(client_id=client_id, reason=str(stays))
            await self._executor.execute(refused, origin)
            raise
        except (ClientNotFoundError, LogUnavailableError):
            raise
        except Exception as defect:  # noqa: BLE001  # whatever the other side says, the removal goes on
            log.warning("client %s is removed although its other side failed: %s", client_id, described(defect))

    async def _opened(self, client_id: UUID) -> Connection | None:
        record = await self._found(client_id)
        try:
            connector = await self._types.find(record.type_id) if record else None
            settings = await self._types.client_settings(record) if record else None
        except SealBrokenError:
            return None
        if record is None or connector is None or settings is None:
            return None
        return connector.open(settings, RecordedLine(client_id, settings.things, self._recorder, record.status))

    async def _found(self, client_id: UUID) -> ClientRecord | None:
        """What the log knows the read model will know in a moment."""
        if await self._executor.find(CLIENT, client_id) is None:
            raise ClientNotFoundError("There is no such client.")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SEEN_SECONDS
        while (record := await self._records.find_client(client_id)) is None and loop.time() < deadline:
            await asyncio.sleep(self._pace.look)
        return record


def _always() -> asyncio.Event:
    moved = asyncio.Event()
    moved.set()
    return moved
