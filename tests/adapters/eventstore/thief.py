"""Takes a lease from whoever has it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

PATIENCE = 30.0
LOCKS = """
    SELECT pid, application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted = {}
        AND (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 0)
"""
HOLDER, WAITING = LOCKS.format(True), LOCKS.format(False)


@asynccontextmanager
async def robbed(url: str, name: str, *, as_itself: bool = False) -> AsyncIterator[None]:
    """Whoever has the lease loses the connection, and another one has the lock at once. With `as_itself` that one looks
    like the one that was lost."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as thief:
        found = await thief.execute(HOLDER, [name])
        holder = await found.fetchone()
        assert holder is not None
        if as_itself:
            await thief.execute("SELECT set_config('application_name', %s, false)", [holder[1]])
        robbing = asyncio.create_task(thief.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name]))
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as police:
            async with asyncio.timeout(PATIENCE):
                while not await (await police.execute(WAITING, [name])).fetchall():
                    await asyncio.sleep(0.01)
            await police.execute("SELECT pg_terminate_backend(%s)", [holder[0]])
        await robbing
        yield
