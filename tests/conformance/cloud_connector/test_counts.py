"""Contract 4.7 and 4.9 on a product of its own, where nobody else is counted. Devices have a second to answer."""

import asyncio
import json
import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.conformance.cloud_connector.client import MOUNTS, Connector, Events, is_refused, mounts, stream
from tests.conformance.cloud_connector.device import Question, SocketDevice, repeat, silent
from tests.product import Product
from tests.waiting import eventually

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("connector counts")]


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    directory = tmp_path_factory.mktemp("quiet")
    with Product(directory, environment={"TIDEMARK_COMMAND_TIMEOUT_S": "1"}) as product:
        yield product
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def every(quiet: Product) -> dict[str, Connector]:
    return mounts(quiet)


@pytest.fixture
def connector(every: dict[str, Connector]) -> Iterator[Connector]:
    """With nobody connected, before and after."""
    every["9090"].sees(connections=0, commands_waiting=0, queries_waiting=0)
    yield every["9090"]
    every["9090"].sees(connections=0, commands_waiting=0, queries_waiting=0)


def test_cs07_the_rate_is_a_mean_over_the_life_of_the_server(connector: Connector) -> None:
    """In its first seconds the rate is not 0: this test is the first of the module."""
    before = connector.status()["received_messages"]
    with connector.device() as device:
        for _ in range(50):
            device.say("x")
        eventually(lambda: connector.status()["received_messages"] == before + 50)
        # The clock may strike between the two figures.
        status = connector.status()
        total, uptime = status["received_messages"], status["uptime"]
        seconds = (max(uptime, 1), uptime + 1, uptime + 2)
        assert status["received_messages_per_second"] in {total // lifetime for lifetime in seconds}


def test_cs05_connections_are_counted(connector: Connector) -> None:
    assert connector.status()["connections"] == 0
    with connector.device():
        assert connector.status()["connections"] == 1
        with connector.device():
            assert connector.status()["connections"] == 2
    connector.sees(connections=0)


@pytest.mark.parametrize("name", MOUNTS)
def test_cs08_nobody_is_connected(every: dict[str, Connector], connector: Connector, name: str) -> None:
    assert every[name].get("/status").json() == {"devices": []}


@pytest.mark.parametrize("name", MOUNTS)
def test_cs09_ids_are_sorted(every: dict[str, Connector], connector: Connector, name: str) -> None:
    with connector.device("b"), connector.device("a"), connector.device("B"):
        assert every[name].get("/status").json() == {"devices": ["B", "a", "b"]}
        assert [one["device_id"] for one in connector.get("/devices").json()["devices"]] == ["B", "a", "b"]


def test_totals_survive_the_connection(connector: Connector) -> None:
    before = connector.status()
    with connector.device() as device:
        device.say("hello")
        assert connector.ask("command", device.id, "on").status_code == 200
    connector.sees(
        received_messages=before["received_messages"] + 2, sent_messages=before["sent_messages"] + 1, connections=0
    )


def test_cq07_waiting_is_counted_while_it_lasts_by_kind(connector: Connector) -> None:
    with connector.device(answer=silent) as device, ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(connector.ask, kind, device.id, "x") for kind in ("command", "query", "query")]
        device.hears(3)
        status = connector.status()
        assert (status["commands_waiting"], status["queries_waiting"]) == (1, 2)
        for question in device.heard:
            device.say(repeat(question))
        assert [one.result().status_code for one in asked] == [200, 200, 200]
        connector.sees(commands_waiting=0, queries_waiting=0)


def test_cq13_a_late_answer_is_ignored(connector: Connector) -> None:
    with connector.device(answer=silent) as device:
        before = connector.status()["received_messages"]
        is_refused(connector.ask("command", device.id, "x"), 408, "Device command timeout")
        connector.sees(commands_waiting=0)
        device.say(repeat(device.heard[0]))
        device.answer = repeat
        assert connector.ask("command", device.id, "next").json()["response"] == "R:next"
        connector.sees(commands_waiting=0, queries_waiting=0, received_messages=before + 2)


def test_cq14_two_late_answers_with_the_same_id_hurt_nobody(connector: Connector) -> None:
    with connector.device(answer=silent) as device, connector.device() as other:
        is_refused(connector.ask("query", device.id, "x"), 408, "Device query timeout")
        for _ in range(3):
            device.say(repeat(device.heard[0]))
        for kind in ("command", "query"):
            assert connector.ask(kind, other.id, "on").status_code == 200
        device.answer = repeat
        assert connector.ask("command", device.id, "on").status_code == 200
        with connector.device() as late:
            assert connector.ask("query", late.id, "on").status_code == 200


def test_two_answers_in_time_with_the_same_id(connector: Connector) -> None:
    with connector.device() as device:

        def twice(question: Question) -> str:
            device.say(repeat(question))
            return json.dumps({"id": question["id"], "payload": "second"})

        device.answer = twice
        assert connector.ask("command", device.id, "on").json()["response"] == "R:on"
        assert connector.ask("command", device.id, "off").json()["response"] == "R:off"


def test_cq16_an_answer_with_an_unknown_id_wakes_nobody(connector: Connector) -> None:
    with connector.device(answer=silent) as device, ThreadPoolExecutor(1) as pool:
        before = connector.status()["received_messages"]
        asked = pool.submit(connector.ask, "command", device.id, "x")
        device.hears(1)
        device.say(json.dumps({"id": str(uuid4()), "payload": "nobody asked"}))
        is_refused(asked.result(), 408, "Device command timeout")
        connector.sees(received_messages=before + 1)


def test_cq20_a_device_that_goes_while_somebody_waits(connector: Connector) -> None:
    device = connector.device(answer=silent)
    with ThreadPoolExecutor(2) as pool:
        asked = {kind: pool.submit(connector.ask, kind, device.id, "x") for kind in ("command", "query")}
        device.hears(2)
        device.close()
        for kind, one in asked.items():
            is_refused(one.result(), 408, f"Device {kind} timeout")
    connector.sees(commands_waiting=0, queries_waiting=0, connections=0)
    is_refused(connector.ask("command", device.id, "x"), 404, "Device not found")


def test_cq22_a_command_is_counted_as_sent_also_without_an_answer(connector: Connector) -> None:
    with connector.device(answer=silent) as device:
        before = connector.status()
        assert connector.ask("command", device.id, "x").status_code == 408
        connector.sees(sent_messages=before["sent_messages"] + 1, received_messages=before["received_messages"])
        assert connector.show(device.id)["sent_messages"] == 1


def test_a_caller_that_hangs_up_waits_no_more(quiet: Product, connector: Connector) -> None:
    with connector.device(answer=silent) as device:
        url = httpx.URL(connector.url)
        with socket.create_connection((url.host, url.port)) as caller:
            request = f"POST /devices/command/{device.id} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
            caller.sendall(request.encode())
            (question,) = device.hears(1)
        connector.sees(commands_waiting=0)

        def failure() -> dict[str, Any] | None:
            failed = events(quiet, "command.failed")
            return next((event["data"] for event in failed if event["data"]["command_id"] == question["id"]), None)

        data = eventually(failure)
        assert data is not None
        assert data["reason"] == "nobody waits for the answer"


def test_everything_is_on_the_record(quiet: Product, connector: Connector) -> None:
    with connector.device(headers={"Device-Name": "Lamp"}) as device:
        assert connector.ask("command", device.id, "on").status_code == 200
        device.answer = silent
        assert connector.ask("query", device.id, "off").status_code == 408
        command, query = (question["id"] for question in device.heard)
    connector.sees(connections=0)

    def of(topic: str, **data: str) -> dict[str, Any]:
        found = [event for event in events(quiet, topic) if data.items() <= event["data"].items()]
        assert len(found) == 1
        return found[0]

    opened = of("link.opened", device=device.id)
    assert (opened["actor"], opened["source"], opened["data"]["name"]) == (f"device:{device.id}", "websocket", "Lamp")
    assert of("link.closed", device=device.id)["data"]["reason"]
    for id, kind, value in ((command, "command", "on"), (query, "query", "off")):
        issued = of("command.issued", command_id=id)
        assert (issued["actor"], issued["source"]) == ("anonymous", "http")
        assert (issued["data"]["kind"], issued["data"]["value"]) == (kind, value)
    assert of("command.answered", command_id=command)["data"]["value"] == "R:on"
    assert of("command.timed_out", command_id=query)


def test_ss10_who_stops_listening_leaves_nothing_behind(connector: Connector) -> None:
    # The first look may still make connections to the database.
    connector.status()
    before = connector.status()["go_routines"]
    for _ in range(3):
        with stream(connector) as status:
            next(status.events())
    eventually(lambda: connector.status()["go_routines"] <= before + 2)


def test_the_waiting_counters_are_streamed_under_their_own_names(connector: Connector) -> None:
    """What the original mixes up (2.4). Somebody waits all the time until a tick has seen it, and nobody after that."""
    seen: dict[str, list[str]] = {"queries_waiting": []}
    enough = Event()

    def keep_asking(device: SocketDevice) -> None:
        while not enough.is_set():
            connector.ask("query", device.id, "x")

    with connector.device(answer=silent) as device, stream(connector) as status, ThreadPoolExecutor(3) as pool:
        try:
            asking = [pool.submit(keep_asking, device) for _ in range(3)]
            for event in status.events():
                seen.setdefault(event["metric"], []).append(event["value"])
                if event["metric"] == "queries_waiting" and event["value"] != "0":
                    enough.set()
                if (enough.is_set() and seen["queries_waiting"][-1] == "0") or len(seen.get("uptime", ())) > 30:
                    break
        finally:
            enough.set()
        for one in asking:
            one.result()
    assert seen["queries_waiting"][-1] == "0"
    assert "commands_waiting" not in seen


async def test_cq25_one_stalled_receiver_delays_nobody(connector: Connector) -> None:
    """99 devices that answer, one that takes nothing from its socket any more while it is asked for a lot."""
    url = httpx.URL(connector.url)
    stalled = socket.socket()
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled.connect((url.host, url.port))
    upgrade = (
        b"GET /connect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nDevice-Id: stalled\r\n\r\n"
    )
    stalled.sendall(upgrade)
    assert b" 101 " in stalled.recv(64)
    names = [f"brisk-{number}" for number in range(99)]
    devices = await asyncio.gather(*(asyncio.to_thread(SocketDevice, connector.url, name) for name in names))
    try:
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            large = b"x" * 512 * 1024

            async def ask(name: str, body: bytes) -> tuple[int, float]:
                started = time.monotonic()
                answer = await client.post(f"{connector.url}/devices/command/{name}", content=body)
                return answer.status_code, time.monotonic() - started

            blocked = [asyncio.create_task(ask("stalled", large)) for _ in range(8)]
            await asyncio.to_thread(connector.sees, commands_waiting=8)
            outcomes = [await ask(name, b"on") for name in names]
            assert {status for status, _ in outcomes} == {200}
            # A second on an idle machine; nobody waits for another one's timeout in any case.
            assert sorted(seconds for _, seconds in outcomes)[len(outcomes) // 2] < 1
            assert {status for status, _ in await asyncio.gather(*blocked)} == {408}
    finally:
        stalled.close()
        for device in devices:
            with suppress(Exception):
                device.close()


def test_ss11_a_subscriber_that_never_reads_delays_nobody(connector: Connector) -> None:
    url = httpx.URL(connector.url)
    with socket.create_connection((url.host, url.port)) as deaf, stream(connector) as status:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.sendall(b"GET /cloud-connector/status/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        came = _times(status, 4)
        assert came[-1] - came[0] < 10


def _times(status: Events, ticks: int) -> list[float]:
    came = []
    for event in status.events():
        if event["metric"] == "uptime":
            came.append(time.monotonic())
            if len(came) == ticks:
                break
    return came


def events(product: Product, topic: str) -> list[dict[str, Any]]:
    """The recorded events of a kind."""
    lines = product.run("events", "--from", "1", "--topic", f"devices.{topic}", "--json").splitlines()
    return [json.loads(line) for line in lines]
