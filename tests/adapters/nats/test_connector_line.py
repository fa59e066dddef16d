"""What the API asks of the worker that runs the clients of connectors, over a real NATS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.nats.connection import NatsConnection
from adapters.nats.connector_line import ACT, ConnectorRpc, NatsWorkerLine
from application.connectors.connector_type import ActionOutcome, AskedOfThing, OutageError, ThingStaysError
from application.connectors.line import WorkerAwayError
from application.ports import LogUnavailableError
from domain.connectors.client import ClientNotFoundError
from domain.event import Origin
from tests.adapters.nats.installation import PATIENCE
from tests.adapters.websocket.server import until
from tests.facts import ORIGIN

CLIENT_ID = uuid4()


def asked(action_id: str) -> AskedOfThing:
    return AskedOfThing(uuid4(), uuid4(), "sim-1", "lamp", action_id, {"on": "ä"})


class Clients:
    """Do what the action or the actor's name says."""

    def __init__(self) -> None:
        self.asked: list[tuple[UUID, AskedOfThing]] = []
        self.removed: list[tuple[UUID, Origin]] = []

    async def act(self, client_id: UUID, asked: AskedOfThing) -> ActionOutcome:
        self.asked.append((client_id, asked))
        match asked.action_id:
            case "hang":
                await asyncio.sleep(60)
            case "outage":
                raise OutageError("the broker is away")
            case "pending":
                return ActionOutcome(pending=True)
            case "fails":
                return ActionOutcome(reason="not possible")
        return ActionOutcome()

    async def remove(self, client_id: UUID, origin: Origin) -> int:
        self.removed.append((client_id, origin))
        match origin.actor:
            case "stays":
                raise ThingStaysError("it stays")
            case "unknown":
                raise ClientNotFoundError("There is no such client.")
            case "log away":
                raise LogUnavailableError("the log is away")
        return 77


@asynccontextmanager
async def line(url: str) -> AsyncIterator[NatsWorkerLine]:
    async with NatsConnection(url, "test line") as connection:
        async with asyncio.timeout(PATIENCE):
            await connection.client()
        yield NatsWorkerLine(connection)


@asynccontextmanager
async def serving(url: str, clients: Clients) -> AsyncIterator[ConnectorRpc]:
    async with NatsConnection(url, "test worker") as connection:
        rpc = ConnectorRpc(connection, clients)
        running = asyncio.create_task(rpc.run())
        try:
            await until(lambda: rpc.serving)
            yield rpc
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def by(actor: str) -> Origin:
    return Origin(actor=actor, source="http", correlation_id="c-1")


async def test_an_action_and_what_comes_of_it_arrive_as_they_are(nats_server: EmbeddedNats) -> None:
    clients, action = Clients(), asked("setOn")
    async with serving(nats_server.url, clients), line(nats_server.url) as api:
        assert await api.act(CLIENT_ID, action, 5) == ActionOutcome()
        assert await api.act(CLIENT_ID, asked("pending"), 5) == ActionOutcome(pending=True)
        assert await api.act(CLIENT_ID, asked("fails"), 5) == ActionOutcome(reason="not possible")
        with pytest.raises(OutageError, match="the broker is away"):
            await api.act(CLIENT_ID, asked("outage"), 5)
    assert clients.asked[0] == (CLIENT_ID, action)


async def test_a_removal_says_at_which_position_or_why_not(nats_server: EmbeddedNats) -> None:
    clients = Clients()
    async with serving(nats_server.url, clients), line(nats_server.url) as api:
        assert await api.remove(CLIENT_ID, ORIGIN, 5) == 77
        for actor, refusal in (
            ("stays", ThingStaysError),
            ("unknown", ClientNotFoundError),
            ("log away", WorkerAwayError),
        ):
            with pytest.raises(refusal):
                await api.remove(CLIENT_ID, by(actor), 5)
    assert clients.removed[0] == (CLIENT_ID, ORIGIN)


async def test_a_worker_that_hangs_keeps_no_other_request_waiting(nats_server: EmbeddedNats) -> None:
    async with serving(nats_server.url, Clients()), line(nats_server.url) as api:
        hanging = asyncio.create_task(api.act(CLIENT_ID, asked("hang"), 0.3))
        assert await api.act(CLIENT_ID, asked("setOn"), 5) == ActionOutcome()
        with pytest.raises(WorkerAwayError):
            await hanging


async def test_without_a_worker_or_without_nats_nobody_waits(nats_server: EmbeddedNats) -> None:
    async with line(nats_server.url) as api:
        with pytest.raises(WorkerAwayError):
            await api.act(CLIENT_ID, asked("setOn"), 30)
    unreachable = NatsWorkerLine(NatsConnection(nats_server.url, "never opened"))
    with pytest.raises(WorkerAwayError):
        await unreachable.remove(CLIENT_ID, ORIGIN, 30)


async def test_what_cannot_be_read_or_came_too_late_is_not_begun(nats_server: EmbeddedNats) -> None:
    clients = Clients()
    async with serving(nats_server.url, clients), NatsConnection(nats_server.url, "test") as connection:
        client = await connection.client()
        for headers, data in (({}, b"{}"), ({"Tidemark-Deadline": "1"}, b"{}"), ({}, b"nonsense")):
            reply = await client.request(ACT, data, timeout=5, headers=headers or None)
            assert b'"failure":"away"' in reply.data
        with pytest.raises(WorkerAwayError, match="late"):
            await NatsWorkerLine(connection).act(CLIENT_ID, asked("setOn"), -0.1)
    assert clients.asked == []
