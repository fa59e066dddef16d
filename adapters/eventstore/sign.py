"""A sign that a process holds up for all others on the same database, for as long as something is true of it.

A shared advisory lock on a connection of its own: it needs no table, and it is gone with its process.
"""

import asyncio
from collections.abc import Callable

import psycopg
from psycopg import AsyncConnection

LOOK_SECONDS = 0.1
RETRY_SECONDS = 1.0

SIGNS_HELD = b"""
    SELECT count(*) FROM pg_locks
    WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 0)
"""
"""How many processes hold up the sign of that name."""

SIGNS_AMONG = b"""
    SELECT name FROM unnest(%s::text[]) AS name
    WHERE hashtextextended(name, 0) IN (
        SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
        WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted AND objsubid = 1
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )
"""
"""Those of the names whose signs somebody holds up."""


def holder_sign(holder: str) -> str:
    """The sign that a process holds up for as long as it may hold links of devices."""
    return f"holder {holder}"


async def hold_up(url: str, name: str, while_true: Callable[[], bool]) -> None:
    """Runs for ever: holds up the sign whenever `while_true` says so. The database may be away meanwhile."""
    while True:
        while not while_true():
            await asyncio.sleep(LOOK_SECONDS)
        try:
            async with await AsyncConnection.connect(
                url, autocommit=True, connect_timeout=2, application_name=f"tidemark sign {name}"
            ) as connection:
                await connection.execute("SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))", (name,))
                while while_true():
                    # Nobody notifies this connection: this waits, and fails when the server is gone.
                    async for _ in connection.notifies(timeout=LOOK_SECONDS):
                        pass
        except psycopg.Error:
            await asyncio.sleep(RETRY_SECONDS)
