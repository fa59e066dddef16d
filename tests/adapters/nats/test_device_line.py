"""Questions to devices that other processes hold: over a real NATS, on one log."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from uuid import UUID, uuid4

import pytest
from websockets.exceptions import ConnectionClosed

from adapters.embedded.nats import EmbeddedNats
from adapters.nats.connection import NatsConnection
from adapters.nats.device_line import MQTT, HolderRpc, NatsDeviceLine
from application.ports import (
    DeviceLostError,
    DeviceSilentError,
    NotConnectedError,
    NotPublishedError,
    Question,
    Road,
    Traffic,
)
from tests.adapters.nats.installation import PATIENCE, Installation
from tests.adapters.websocket.server import answer, cancelled, heard, opened, until

TOO_LARGE = 9_000_000
OVER_MQTT = Road("mqtt", "", uuid4())


def question(payload: str = "on") -> Question:
    return Question(uuid4(), "query", payload)


@asynccontextmanager
async def line(url: str) -> AsyncIterator[NatsDeviceLine]:
    """That of a process that holds nothing."""
    async with NatsConnection(url, "test line") as connection:
        async with asyncio.timeout(PATIENCE):
            await connection.client()
        yield NatsDeviceLine(connection)


class Gateway:
    """A Holder that does what the question says."""

    def __init__(self) -> None:
        self.asked: list[tuple[UUID, Question, float]] = []
        self.closed: list[tuple[UUID, int, str]] = []

    async def ask(self, connection_id: UUID, question: Question, timeout: float) -> str:
        self.asked.append((connection_id, question, timeout))
        match question.payload:
            case "not connected":
                raise NotConnectedError("not here")
            case "lost":
                raise DeviceLostError("gone")
            case "silent":
                raise DeviceSilentError("nothing heard")
            case "refused":
                raise NotPublishedError("the broker is away")
            case "hang":
                await asyncio.sleep(60)
            case "large":
                return "x" * TOO_LARGE
        return f"answer to {question.payload}"

    def traffic(self, connection_ids: Collection[UUID]) -> Sequence[Traffic]:
        return [Traffic(id, 1, 2, 3, 4) for id in connection_ids]

    def close(self, connection_id: UUID, code: int, reason: str) -> None:
        self.closed.append((connection_id, code, reason))


@asynccontextmanager
async def serving(url: str, holder: Gateway, name: str = MQTT) -> AsyncIterator[HolderRpc]:
    async with NatsConnection(url, "test holder") as connection:
        rpc = HolderRpc(connection, holder, name)
        running = asyncio.create_task(rpc.run())
        try:
            await until(lambda: rpc.serving)
            yield rpc
        finally:
            await cancelled(running)


async def test_a_question_reaches_whoever_holds_the_connection(nats_server: EmbeddedNats) -> None:
    gateway, other = Gateway(), Gateway()
    async with (
        serving(nats_server.url, gateway),
        serving(nats_server.url, other, "abc"),
        line(nats_server.url) as asker,
    ):
        asked = question('{"payload":"on"}')
        assert await asker.ask(OVER_MQTT, asked, 8.0) == 'answer to {"payload":"on"}'
        assert gateway.asked[0][:2] == (OVER_MQTT.connection_id, asked)
        assert 0 < gateway.asked[0][2] <= 8.001, "it is told in milliseconds"
        road = Road("websocket", "abc", uuid4())
        await asker.ask(road, question(), 8.0)
        assert [connection_id for connection_id, _, _ in other.asked] == [road.connection_id]


@pytest.mark.parametrize(
    ("said", "error", "reason"),
    [
        ("not connected", NotConnectedError, "not here"),
        ("lost", DeviceLostError, "gone"),
        ("silent", DeviceSilentError, "nothing heard"),
        ("refused", NotPublishedError, "the broker is away"),
        ("large", DeviceLostError, "too large"),
    ],
)
async def test_what_went_wrong_is_what_the_caller_is_told(
    nats_server: EmbeddedNats, said: str, error: type[Exception], reason: str
) -> None:
    async with serving(nats_server.url, Gateway()), line(nats_server.url) as asker:
        with pytest.raises(error, match=reason):
            await asker.ask(OVER_MQTT, question(said), 8.0)


async def test_a_holder_that_hangs_is_a_device_that_is_silent(nats_server: EmbeddedNats) -> None:
    async with serving(nats_server.url, Gateway()), line(nats_server.url) as asker:
        began = monotonic()
        with pytest.raises(DeviceSilentError):
            await asker.ask(OVER_MQTT, question("hang"), 0.3)
        assert monotonic() - began < 5


async def test_a_question_that_is_too_large_is_not_asked(nats_server: EmbeddedNats) -> None:
    gateway = Gateway()
    async with serving(nats_server.url, gateway), line(nats_server.url) as asker:
        with pytest.raises(NotPublishedError, match="too large"):
            await asker.ask(OVER_MQTT, question("x" * TOO_LARGE), 8.0)
    assert not gateway.asked


async def test_what_comes_too_late_is_not_asked(nats_server: EmbeddedNats) -> None:
    gateway = Gateway()
    async with serving(nats_server.url, gateway), line(nats_server.url) as asker:
        with pytest.raises(NotPublishedError, match="too late"):
            await asker.ask(OVER_MQTT, question(), -0.1)
    assert not gateway.asked


async def test_a_holder_that_is_gone_has_no_device_and_no_gateway_reaches_none(nats_server: EmbeddedNats) -> None:
    async with line(nats_server.url) as asker:
        with pytest.raises(NotConnectedError):
            await asker.ask(Road("websocket", "gone", uuid4()), question(), 8.0)
        with pytest.raises(NotPublishedError, match="no gateway is connected"):
            await asker.ask(OVER_MQTT, question(), 8.0)
        assert await asker.traffic([OVER_MQTT, Road("websocket", "gone", uuid4())]) == {}


async def test_without_nats_only_what_is_held_here_is_reached(database_url_of: Callable[[], str]) -> None:
    async with opened(database_url_of()) as door, door.device("dev1") as device:
        asking = asyncio.create_task(door.line.ask(door.road("dev1"), question(), 20))
        await answer(device)
        assert await asking == "yes"
        elsewhere = Road("websocket", "abc", uuid4())
        with pytest.raises(NotPublishedError, match="NATS is away"):
            await door.line.ask(elsewhere, question(), 20)
        assert list(await door.line.traffic([door.road("dev1"), elsewhere, OVER_MQTT])) == [
            door.link("dev1").connection_id
        ]
        await door.line.close("abc", elsewhere.connection_id, 4409, "replaced")


async def test_the_traffic_of_many_connections_is_asked_for_in_pieces(nats_server: EmbeddedNats) -> None:
    async with serving(nats_server.url, Gateway()), line(nats_server.url) as asker:
        roads = [Road("mqtt", "", uuid4()) for _ in range(9_000)]
        told = await asker.traffic(roads)
        assert len(told) == 9_000
        assert told[roads[-1].connection_id] == Traffic(roads[-1].connection_id, 1, 2, 3, 4)


async def test_several_gateways_share_the_questions(nats_server: EmbeddedNats) -> None:
    first, second = Gateway(), Gateway()
    async with serving(nats_server.url, first), serving(nats_server.url, second), line(nats_server.url) as asker:
        for n in range(20):
            await asker.ask(OVER_MQTT, question(str(n)), 8.0)
    assert len(first.asked) + len(second.asked) == 20


async def test_a_holder_answers_again_after_nats_was_away(nats_server: EmbeddedNats) -> None:
    gateway = Gateway()
    async with serving(nats_server.url, gateway) as rpc, line(nats_server.url) as asker:
        nats_server.kill()
        await until(lambda: not asker._connection.connected)
        with pytest.raises(NotPublishedError):
            await asker.ask(OVER_MQTT, question(), 8.0)
        nats_server.start()

        async def answered() -> bool:
            try:
                return await asker.ask(OVER_MQTT, question(), 8.0) == "answer to on"
            except NotPublishedError:
                return False

        async with asyncio.timeout(PATIENCE):
            while not await answered():
                await asyncio.sleep(0.05)
        assert rpc.serving


@pytest.fixture
def database_url_of(installation: Installation) -> Callable[[], str]:
    return lambda: installation.url


async def test_cs19_of_two_connections_to_two_processes_the_newest_counts(installation: Installation) -> None:
    nats_url = installation.nats.url
    async with (
        opened(installation.url, nats_url) as here,
        opened(installation.url, nats_url) as there,
        here.device("dev1") as old,
    ):
        road = here.road("dev1")
        async with there.device("dev1"):
            with pytest.raises(ConnectionClosed) as closed:
                await old.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4409
            await until(lambda: here.links.find("dev1") is None)
            assert there.links.find("dev1") is not None
            with pytest.raises(NotConnectedError):
                await there.line.ask(road, question(), 5)


async def test_a_device_of_another_process_is_asked(installation: Installation) -> None:
    nats_url = installation.nats.url
    async with (
        opened(installation.url, nats_url) as here,
        opened(installation.url, nats_url) as there,
        there.device("dev1") as device,
    ):
        road = there.road("dev1")
        asking = asyncio.create_task(here.line.ask(road, question("temp?"), 20))
        asked = await heard(device)
        assert (asked["payload"], asked["type"]) == ("temp?", "query")
        await device.send(json.dumps({"id": asked["id"], "payload": {"t": 21}}))
        assert await asking == '{"t": 21}'
        (traffic,) = (await here.line.traffic([road])).values()
        assert (traffic.received, traffic.sent) == (1, 1)

        asking = asyncio.create_task(here.line.ask(road, question(), 20))
        await heard(device)
        await device.close()
        with pytest.raises(DeviceLostError):
            await asking
        with pytest.raises(NotConnectedError):
            await here.line.ask(road, question(), 20)


async def test_a_device_of_another_process_that_says_nothing_is_silent(installation: Installation) -> None:
    nats_url = installation.nats.url
    async with (
        opened(installation.url, nats_url) as here,
        opened(installation.url, nats_url) as there,
        there.device("dev1"),
    ):
        began = monotonic()
        with pytest.raises(DeviceSilentError):
            await here.line.ask(there.road("dev1"), question(), 0.3)
        assert monotonic() - began >= 0.3
