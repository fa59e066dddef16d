"""The devices' door on a real server, with a real log: one holder, as one API process is."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from adapters.eventstore.log import PostgresEventLog
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from adapters.nats.connection import NatsConnection
from adapters.nats.device_line import HolderRpc, NatsDeviceLine
from adapters.websocket.gateway import WebSocketGateway
from adapters.websocket.greeting import Headers
from adapters.websocket.links import Links, OpenLink
from adapters.websocket.protocol import SETTINGS, DeviceProtocol
from adapters.websocket.record import LinkRecord
from application import devices
from application.executor import CommandExecutor
from application.ports import Road
from domain.catalogue import CATALOGUE
from domain.devices.link import LinkClosed, LinkOpened
from domain.event import Event

PATIENCE = 30.0


@dataclass
class Door:
    """What one process has of devices' connections, and what it admits."""

    database_url: str
    port: int
    links: Links
    executor: CommandExecutor
    record: LinkRecord
    line: NatsDeviceLine
    server: uvicorn.Server | None = None
    refused: set[str] = field(default_factory=set)
    origins: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/connect"

    async def admits(self, headers: Headers, device: str) -> bool:
        return device not in self.refused

    def device(self, id: str, **settings: Any) -> connect:
        """A device, to be entered: it answers nothing by itself."""
        headers = {"Device-Id": id, **settings.pop("headers", {})}
        # One that reads nothing waits for the server's goodbye in vain when the test ends.
        return connect(self.url, additional_headers=headers, **{"compression": None, "close_timeout": 1, **settings})

    def link(self, device: str) -> OpenLink:
        link = self.links.find(device)
        assert link is not None
        return link

    def road(self, device: str) -> Road:
        return Road("websocket", self.links.holder, self.link(device).connection_id)

    async def recorded(self) -> list[Event]:
        """What the log has of links."""
        async with PostgresLogReader(self.database_url, Mapper(CATALOGUE)) as reader:
            events = [recorded.event for recorded in await reader.read(0, 100_000)]
        return [event for event in events if isinstance(event, LinkOpened | LinkClosed)]

    async def reasons(self, count: int) -> list[str]:
        """Why links ended, once so many have."""
        async with asyncio.timeout(PATIENCE):
            while True:
                closed = [event for event in await self.recorded() if isinstance(event, LinkClosed)]
                if len(closed) >= count:
                    return [event.reason for event in closed]
                await asyncio.sleep(0.02)


@asynccontextmanager
async def opened(
    database_url: str, nats_url: str | None = None, most: int = 10_000, drain: int = 5, **settings: Any
) -> AsyncIterator[Door]:
    """A door on a free port. `settings` are uvicorn's."""
    async with AsyncExitStack() as stack:
        # Without a server of NATS, the connection is one that never comes.
        nats = NatsConnection(nats_url or "nats://127.0.0.1:1", "test door")
        if nats_url:
            await stack.enter_async_context(nats)
        log = await stack.enter_async_context(PostgresEventLog(database_url, Mapper(CATALOGUE)))
        executor = await stack.enter_async_context(
            CommandExecutor(log, devices.HANDLERS, lambda: datetime.now(UTC)).running()
        )
        links = Links(most)
        record = await stack.enter_async_context(LinkRecord(executor, links.holder).running())
        line = NatsDeviceLine(nats, links)
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        door = Door(database_url, listening.getsockname()[1], links, executor, record, line)
        if nats_url:
            rpc = HolderRpc(nats, links, links.holder)
            stack.push_async_callback(cancelled, asyncio.create_task(rpc.run()))
            async with asyncio.timeout(PATIENCE):
                while not rpc.serving:
                    await asyncio.sleep(0.01)
        gateway = WebSocketGateway(links, record, line, door.admits, door.origins.__contains__)
        door.server = _Server(
            uvicorn.Config(
                gateway,
                lifespan="off",
                log_config=None,
                timeout_graceful_shutdown=drain,
                **{"ws": DeviceProtocol, **SETTINGS, **settings},
            )
        )
        serving = asyncio.create_task(door.server.serve([listening]))
        async with asyncio.timeout(PATIENCE):
            while not door.server.started:
                await asyncio.sleep(0.01)
        try:
            yield door
        finally:
            door.server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self):
        yield


async def cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def heard(device: ClientConnection) -> dict[str, Any]:
    """The next question that the device is asked."""
    async with asyncio.timeout(PATIENCE):
        return json.loads(await device.recv())


async def answer(device: ClientConnection, payload: object = "yes") -> None:
    """Answers the next question."""
    await device.send(json.dumps({"id": (await heard(device))["id"], "payload": payload}))


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


class Held(NamedTuple):
    """What the read model `connections` says of a link."""

    device: str
    device_id: UUID | None
    connection_id: UUID
    through: str
    holder: str


class Listed:
    """What the read model says that this log makes, read from the log itself."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    async def position(self) -> int:
        async with PostgresLogReader(self._database_url, Mapper(CATALOGUE)) as reader:
            return await reader.head()

    async def all(self) -> list[Held]:
        async with PostgresLogReader(self._database_url, Mapper(CATALOGUE)) as reader:
            events = [recorded.event for recorded in await reader.read(0, 100_000)]
        held: dict[UUID, Held] = {}
        for event in events:
            if isinstance(event, LinkOpened):
                held[event.connection_id] = Held(
                    event.device, event.device_id, event.connection_id, event.through, event.holder
                )
            elif isinstance(event, LinkClosed):
                held.pop(event.connection_id, None)
        return list(held.values())

    async def holders(self) -> list[str]:
        return sorted({link.holder for link in await self.all()})

    async def held_by(self, holder: str) -> list[Held]:
        return [link for link in await self.all() if link.holder == holder]
