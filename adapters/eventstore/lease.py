"""A lease: of all processes on one database, at most one does a certain work at a time."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

RETRY_SECONDS = 1.0

log = logging.getLogger("tidemark.lease")


class LeaseLostError(Exception):
    """The connection that held the lease is gone; somebody else may be working already."""


class Lease:
    """An advisory lock of PostgreSQL under `name`, on a connection of its own.

    The lock lives exactly as long as that connection: a process that dies or loses the database gives the lease up
    without doing anything, and nobody has to guess whether a time-out has passed.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self.name = name

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Waits for the lease, however long, then runs the body while holding it.

        When the lease is lost the body is cancelled where it waits, and LeaseLostError is raised in its place.
        The database being away while waiting for the lease is no error: it is tried again every second.
        """
        connection = await self._acquired()
        body = asyncio.current_task()
        assert body is not None
        lost = False

        async def watch() -> None:
            nonlocal lost
            # Nobody notifies this connection: the generator only ends, or fails, when the server is gone.
            with suppress(psycopg.Error):
                async for _ in connection.notifies():
                    pass
            lost = True
            body.cancel()

        watching = asyncio.create_task(watch(), name=f"lease {self.name}")
        try:
            yield
        except asyncio.CancelledError:
            # Ours or somebody else's? As in asyncio.timeout: only a cancellation of our own is turned into an error.
            if lost and body.uncancel() == 0:
                log.warning("lost the lease %r: the database connection is gone", self.name)
                raise LeaseLostError(self.name) from None
            raise
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            await connection.close()

    async def _acquired(self) -> AsyncConnection[TupleRow]:
        while True:
            connection = None
            try:
                connection = await lease_connection(self._url, f"tidemark lease {self.name}")
                found = await connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (self.name,))
                row = await found.fetchone()
                if row and row[0]:
                    return connection
                await connection.close()
            except psycopg.Error:
                pass
            except asyncio.CancelledError:
                if connection is not None:
                    await connection.close()
                raise
            await asyncio.sleep(RETRY_SECONDS * random.uniform(0.7, 1.3))


async def lease_connection(url: str, application_name: str) -> AsyncConnection[TupleRow]:
    """One to hold a lock on. A host that vanished without a word is noticed within about 10 s instead of two hours, by
    either side. Raises psycopg.Error."""
    connection = await AsyncConnection.connect(
        url,
        autocommit=True,
        connect_timeout=2,
        application_name=application_name,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
    )
    try:
        await connection.execute(_KEEPALIVES)
    except BaseException:
        await connection.close()
        raise
    return connection


_KEEPALIVES = """
    SELECT set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '2', false),
        set_config('tcp_keepalives_count', '3', false)
"""
