"""Questions to connected devices and their answers (contract 2.2, 2.4, 4.9), in the process that holds them."""

import asyncio
import json
import socket
from time import monotonic
from uuid import UUID, uuid4

import pytest

from adapters.websocket.links import MOST_QUESTIONS
from application.ports import (
    DeviceLostError,
    DeviceSilentError,
    NotConnectedError,
    NotPublishedError,
    Question,
)
from tests.adapters.websocket.server import Door, answer, heard, opened, until


async def ask(door: Door, device: str, payload: str = "on", timeout: float = 20.0) -> str:
    return await door.line.ask(door.road(device), Question(uuid4(), "command", payload), timeout)


async def test_a_question_is_asked_and_answered(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1") as device:
        asking = asyncio.create_task(ask(door, "dev1", '{"payload":"on"}'))
        question = await heard(device)
        assert sorted(question) == ["id", "payload", "timestamp", "type"]
        assert UUID(question["id"]).version == 4
        assert question["type"] == "command"
        assert question["payload"] == '{"payload":"on"}'
        assert isinstance(question["timestamp"], int)
        await device.send(json.dumps({"id": question["id"], "payload": "done", "time": 1}))
        assert await asking == "done"
        link = door.link("dev1")
        assert (link.received, link.sent) == (1, 1)
        assert link.last_received > 0
        assert link.last_sent > 0


PAYLOADS = [
    ('"text"', "text"),
    ('"\\u00e4\\n"', "ä\n"),
    ('{"a":1}', '{"a":1}'),
    ("[1, 2]", "[1, 2]"),
    ("1.50", "1.50"),
    ("null", ""),
    (None, ""),
]


async def test_cq17_any_payload_is_an_answer(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1") as device:
        for payload, response in PAYLOADS:
            asking = asyncio.create_task(ask(door, "dev1"))
            id = (await heard(device))["id"]
            said = "" if payload is None else f',"payload":{payload}'
            await device.send(f' {{"id":"{id}"{said}}}')
            assert await asking == response


async def test_cq13_a_late_answer_is_dropped_and_the_next_question_works(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1") as device:
        with pytest.raises(DeviceSilentError):
            await ask(door, "dev1", timeout=0.2)
        late = (await heard(device))["id"]
        asking = asyncio.create_task(ask(door, "dev1"))
        question = await heard(device)
        await device.send(json.dumps({"id": late, "payload": "late"}))
        await device.send(json.dumps({"id": question["id"], "payload": "in time"}))
        assert await asking == "in time"
        assert door.link("dev1").received == 2


async def test_cq14_two_late_answers_with_one_id_harm_nobody(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1") as device, door.device("dev2") as other:
        with pytest.raises(DeviceSilentError):
            await ask(door, "dev1", timeout=0.2)
        late = (await heard(device))["id"]
        for _ in range(2):
            await device.send(json.dumps({"id": late, "payload": "late"}))
        for name, one in (("dev1", device), ("dev2", other)):
            asking = asyncio.create_task(ask(door, name))
            await answer(one)
            assert await asking == "yes"
        async with door.device("dev3"):
            assert len(door.links) == 3


async def test_two_answers_in_time_are_one(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1") as device:
        asking = asyncio.create_task(ask(door, "dev1"))
        id = (await heard(device))["id"]
        for payload in ("first", "second"):
            await device.send(json.dumps({"id": id, "payload": payload}))
        assert await asking == "first"
        await until(lambda: door.link("dev1").received == 2)


NO_ANSWERS: list[str | bytes] = [
    "hello",
    "[]",
    "{}",
    '{"id":""}',
    '{"id":1}',
    '{"id":"ghost","payload":"x"}',
    '{"id":"x","payload":"\\ud800"}',
    "[" * 100_000,
    '{"payload":' * 20_000,
    b"\xff\xfe",
]


async def test_cq16_what_answers_nothing_is_counted_and_wakes_nobody(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1") as device:
        asking = asyncio.create_task(ask(door, "dev1"))
        question = await heard(device)
        for said in NO_ANSWERS:
            await device.send(said)
        await until(lambda: door.link("dev1").received == len(NO_ANSWERS))
        assert not asking.done()
        await device.send(json.dumps({"id": question["id"]}))
        assert await asking == ""


async def test_cq19_another_devices_answer_is_not_accepted(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1") as device, door.device("dev2") as other:
        asking = asyncio.create_task(ask(door, "dev1"))
        id = (await heard(device))["id"]
        waiting = asyncio.create_task(ask(door, "dev2"))  # so that dev2's messages are looked at
        await heard(other)
        await other.send(json.dumps({"id": id, "payload": "forged"}))
        await until(lambda: door.link("dev2").received == 1)
        assert not asking.done()
        await device.send(json.dumps({"id": id, "payload": "mine"}))
        assert await asking == "mine"
        await other.close()
        with pytest.raises(DeviceLostError):
            await waiting


async def test_cq20_a_device_that_leaves_while_it_is_waited_for_is_lost(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1") as device:
        road = door.road("dev1")
        asking = asyncio.create_task(ask(door, "dev1"))
        await heard(device)
        await device.close()
        with pytest.raises(DeviceLostError):
            await asking
        with pytest.raises(NotConnectedError):
            await door.line.ask(road, Question(uuid4(), "query", "?"), 1)


async def test_answers_come_in_any_order(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1") as device:
        asking = [asyncio.create_task(ask(door, "dev1", str(n))) for n in range(20)]
        questions = [await heard(device) for _ in asking]
        for question in reversed(questions):
            await device.send(json.dumps({"id": question["id"], "payload": question["payload"]}))
        assert await asyncio.gather(*asking) == [str(n) for n in range(20)]


async def test_one_device_is_not_asked_too_much_at_once(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1"):
        asking = [asyncio.create_task(ask(door, "dev1")) for _ in range(MOST_QUESTIONS)]
        await until(lambda: door.link("dev1").sent == MOST_QUESTIONS)
        with pytest.raises(NotPublishedError, match="too many"):
            await ask(door, "dev1")
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        with pytest.raises(DeviceSilentError):  # there is room again
            await ask(door, "dev1", timeout=0.1)


async def test_cq25_a_stalled_receiver_delays_nobody(database_url: str) -> None:
    async with opened(database_url) as door:
        devices = await asyncio.gather(*(door.device(f"dev{n}") for n in range(99)))
        async with door.device("stalled", ping_interval=None) as stalled:
            _narrow(stalled.transport.get_extra_info("socket"))
            stalled.transport.pause_reading()
            big = "x" * 200_000
            stuck = [asyncio.create_task(ask(door, "stalled", big, timeout=60)) for _ in range(100)]
            await until(lambda: door.link("stalled").sent > 0)
            before = -1
            while before != (before := door.link("stalled").sent):
                await asyncio.sleep(0.1)
            assert before < 100  # nothing more goes out to it

            began = monotonic()
            asking = [asyncio.create_task(ask(door, f"dev{n}")) for n in range(99)]
            await asyncio.gather(*(answer(device) for device in devices))
            assert await asyncio.gather(*asking) == ["yes"] * 99
            assert monotonic() - began < 5  # a second on a machine that does nothing else

            # It does not even take a close frame, and is cut off.
            door.links.close(door.link("stalled").connection_id, 4409, "replaced")
            assert await door.reasons(1) == ["replaced"]
            outcomes = await asyncio.gather(*stuck, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} <= {DeviceLostError, NotConnectedError}
        for device in devices:
            await device.close()


def _narrow(socket_: socket.socket) -> None:
    socket_.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


async def test_totals_outlive_the_connection(database_url: str) -> None:
    async with opened(database_url) as door:
        async with door.device("dev1") as device:
            asking = asyncio.create_task(ask(door, "dev1"))
            await answer(device)
            await asking
            connection_id = door.link("dev1").connection_id
            (traffic,) = (await door.line.traffic([door.road("dev1")])).values()
            assert (traffic.connection_id, traffic.received, traffic.sent) == (connection_id, 1, 1)
        await until(lambda: len(door.links) == 0)
        totals = door.links.totals(3, 4)
        assert (totals.received, totals.sent) == (1, 1)
        assert (totals.commands_waiting, totals.queries_waiting) == (3, 4)
        assert door.links.traffic([connection_id]) == []
