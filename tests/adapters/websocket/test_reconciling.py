"""The links of this process and those on the record are made the same again, from either side."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from adapters.eventstore.sign import SIGNS_AMONG, holder_sign
from adapters.websocket.links import OpenLink
from adapters.websocket.reconciling import LinkReconciler
from application.devices.link import CloseLink
from application.devices.reaping import LinkReaper
from projections.database import Database
from tests.adapters.websocket.server import Door, Listed, opened, until
from tests.facts import ORIGIN

ROOT = Path(__file__).parents[3]


def reconciler(door: Door) -> LinkReconciler:
    listed = Listed(door.database_url)
    return LinkReconciler(door.links, door.record, listed.position, listed.held_by)


async def test_a_link_that_the_record_does_not_have_any_more_is_closed(database_url: str) -> None:
    async with opened(database_url) as door, door.device("dev1") as device, door.device("dev2"):
        link = door.link("dev1")
        closing = CloseLink(
            device="dev1", device_id=None, connection_id=link.connection_id, through="websocket", reason="a mistake"
        )
        await door.executor.execute(closing, ORIGIN)
        await reconciler(door).look()
        with pytest.raises(ConnectionClosed) as closed:
            await device.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        await until(lambda: door.links.find("dev1") is None)
        assert door.links.find("dev2") is not None


async def test_a_link_that_the_read_model_does_not_have_yet_is_left_alone(database_url: str) -> None:
    async def behind() -> int:
        return 0

    async def nothing(holder: str) -> list:
        return []

    async with opened(database_url) as door, door.device("dev1"):
        await LinkReconciler(door.links, door.record, behind, nothing).look()
        assert door.link("dev1").ending is None


async def test_what_the_record_has_and_nobody_holds_is_closed_at_the_second_look(database_url: str) -> None:
    async def send(message: object) -> None: ...

    async with opened(database_url) as door, door.device("dev2"):
        lost = OpenLink(device="dev1", connection_id=uuid4(), send=send, abort=lambda: None)
        await door.record.open(lost)
        reconciling = reconciler(door)
        await reconciling.look()
        assert len(await Listed(database_url).all()) == 2
        await reconciling.look()
        assert await door.reasons(1) == ["connection lost"]
        assert [link.device for link in await Listed(database_url).all()] == ["dev2"]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def reaping(door: Door, clock: Clock) -> AsyncIterator[LinkReaper]:
    listed = Listed(door.database_url)
    async with Database(door.database_url) as database:

        async def living(holders: Sequence[str]) -> Collection[str]:
            names = {holder_sign(holder): holder for holder in holders}
            return {names[row[0]] for row in await database.fetch(SIGNS_AMONG, (list(names),))}

        yield LinkReaper(door.executor, listed.holders, listed.held_by, living, clock)


async def test_the_links_of_a_holder_that_was_killed_are_closed_on_the_record(database_url: str) -> None:
    killed = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.adapters.websocket.run_door",
        database_url,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        assert killed.stdout is not None
        port, holder = (await killed.stdout.readline()).decode().split()
        clock = Clock()
        async with (
            opened(database_url) as door,
            reaping(door, clock) as reaper,
            connect(f"ws://127.0.0.1:{port}/connect", additional_headers={"Device-Id": "dev1"}) as device,
            Database(database_url) as database,
        ):
            for _ in range(4):  # it lives, and is left alone
                await reaper.look()
                clock.now += 5
            assert await Listed(database_url).holders() == [holder]

            os.kill(killed.pid, signal.SIGKILL)
            with pytest.raises(ConnectionClosed):
                await device.recv()
            while await database.fetch(SIGNS_AMONG, ([holder_sign(holder)],)):
                await asyncio.sleep(0.02)
            await reaper.look()
            clock.now += 5
            await reaper.look()
            assert await Listed(database_url).holders() == [holder]
            clock.now += 5
            await reaper.look()
            assert await door.reasons(1) == ["the server that held it is gone"]
            assert await Listed(database_url).all() == []
    finally:
        if killed.returncode is None:
            killed.kill()
        await killed.wait()
