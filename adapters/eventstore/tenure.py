"""A lease for somebody who goes on while the database is away."""

import asyncio
import logging
import random
from contextlib import suppress
from uuid import uuid4

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from adapters.eventstore.lease import RETRY_SECONDS, lease_connection

# Who had the lease before the database went away asks for it more often than those who stand by, and these let a
# moment pass first: changing over for nothing would only delay what devices say.
AGAIN_SECONDS = 0.2
COURTESY_SECONDS = 3.0

# Advisory locks of 64 bits are kept in two halves.
_HOLDER = b"""
    SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 0)
"""

log = logging.getLogger("tidemark.lease")


class Tenure:
    """Asks for the lease `name` for as long as `run()` runs, and has it at most once among all processes.

    The lock is gone with the connection to the database. From then on nobody knows whose the lease is, until it is
    ours again or somebody else is found to have it. `held` is true while it is surely ours.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._told_as = f"tidemark {uuid4().hex[:8]} {name}"[:63]
        self._held = asyncio.Event()
        self._taken = asyncio.Event()
        self._had_it = False

    @property
    def held(self) -> bool:
        return self._held.is_set()

    async def until_held(self) -> None:
        await self._held.wait()

    async def until_taken(self) -> None:
        """Returns when somebody else is known to have it."""
        await self._taken.wait()

    async def run(self) -> None:
        while True:
            connection = await self._acquired()
            self._had_it = True
            self._taken.clear()
            self._held.set()
            try:
                # Nobody notifies this connection: the generator only ends, or fails, when the server is gone.
                with suppress(psycopg.Error):
                    async for _ in connection.notifies():
                        pass
                log.warning("the database connection that held the lease %r is gone, asking for it again", self._name)
            finally:
                self._held.clear()
                await connection.close()

    async def _acquired(self) -> AsyncConnection[TupleRow]:
        courteous = False
        while True:
            try:
                connection = await lease_connection(self._url, self._told_as)
            except psycopg.Error:
                courteous = not self._had_it
            else:
                if courteous:
                    courteous = False
                    await connection.close()
                    await asyncio.sleep(COURTESY_SECONDS)
                    continue
                if await self._asked(connection):
                    return connection
            await asyncio.sleep((AGAIN_SECONDS if self._had_it else RETRY_SECONDS) * random.uniform(0.7, 1.3))

    async def _asked(self, connection: AsyncConnection[TupleRow]) -> bool:
        """Whether it is ours now. Otherwise the connection is closed."""
        got = False
        try:
            found = await connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (self._name,))
            row = await found.fetchone()
            got = bool(row and row[0])
            if not got:
                holders = await (await connection.execute(_HOLDER, (self._name,))).fetchall()
                # Our own lost connection may be there for a while, until the server learns that it is lost.
                if any(holder != self._told_as for (holder,) in holders):
                    self._give_up()
        except psycopg.Error:
            got = False
        finally:
            if not got:
                await connection.close()
        return got

    def _give_up(self) -> None:
        if self._had_it:
            log.warning("another process has the lease %r now", self._name)
        self._had_it = False
        self._taken.set()
