"""A sign is seen by every process on the database while it is held up, and gone with whoever held it."""

import asyncio
from collections.abc import Callable

import pytest

from adapters.eventstore.sign import SIGNS_HELD, hold_up
from entrypoints.operations.readiness import NotReadyError, is_signalled
from projections.database import Database


async def _eventually(database: Database, count: int) -> None:
    async with asyncio.timeout(20):
        while (await database.fetch(SIGNS_HELD, ("gateway connected",)))[0][0] != count:
            await asyncio.sleep(0.02)


async def test_a_sign_is_seen_while_it_is_held_up(make_database: Callable[[], str]) -> None:
    url = make_database()
    connected = False
    async with Database(url) as database, Database(make_database()) as elsewhere:
        holders = [asyncio.create_task(hold_up(url, "gateway connected", lambda: connected)) for _ in range(2)]
        check = is_signalled(database, "gateway connected", "nobody is connected")
        with pytest.raises(NotReadyError, match="nobody is connected"):
            await check()
        connected = True
        await _eventually(database, 2)
        assert await check() == "2 connected"
        assert (await elsewhere.fetch(SIGNS_HELD, ("gateway connected",)))[0][0] == 0
        assert (await database.fetch(SIGNS_HELD, ("another sign",)))[0][0] == 0
        holders.pop().cancel()
        await _eventually(database, 1)
        connected = False
        await _eventually(database, 0)
        holders.pop().cancel()
