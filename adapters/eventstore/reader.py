"""Reading the log in position order, and being woken when it grows."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from adapters.eventstore.mapper import Mapper
from adapters.eventstore.persons import KEYS, NO_KEYS, Keys
from adapters.eventstore.recorder import EVENTS_TABLE
from application.ports import LogUnavailableError
from domain.event import Recorded

# One read takes whole events up to about so many bytes, since a thousand events may be a kilobyte each or a megabyte.
READ_BYTES = 16 * 1024 * 1024

# The lengths of what lies beside the rows are known without reading it.
ROWS: LiteralString = """
    SELECT notification_id, originator_id, originator_version, topic, state FROM (
        SELECT *, sum(octet_length(state)) OVER (ORDER BY notification_id ROWS UNBOUNDED PRECEDING)
            - octet_length(state) AS before
        FROM (SELECT * FROM events WHERE notification_id > %s ORDER BY notification_id LIMIT %s) following
    ) measured WHERE before < %s ORDER BY notification_id
"""

# The same as columns, NULL each when there are none. A row each takes an event loop more than twice as long; it takes
# PostgreSQL half as long, and whoever reads in a thread is better off with rows.
_COLUMNS: LiteralString = f"""
    SELECT array_agg(notification_id), array_agg(originator_id), array_agg(originator_version), array_agg(topic),
        array_agg(state)
    FROM ({ROWS}) in_order
"""

# So much of the log is looked through at a time for events of one kind.
SCAN = 20_000

# The last row tells how far the log goes.
_ROWS_OF: LiteralString = """
    (SELECT notification_id, originator_id, originator_version, topic, state FROM (
        SELECT *, sum(octet_length(state)) OVER (ORDER BY notification_id) - octet_length(state) AS before
        FROM events WHERE notification_id > %s AND notification_id <= %s AND topic = %s
    ) measured WHERE before < %s ORDER BY notification_id)
    UNION ALL
    SELECT least(%s, coalesce(max(notification_id), 0)), NULL, NULL, NULL, NULL FROM events
"""


class LogRow(NamedTuple):
    """An event as it is stored; `state` is the JSON of envelope and data."""

    position: int
    aggregate_id: UUID
    version: int
    topic: str
    state: bytes


class PostgresLogReader:
    """Fills LogReader: one connection to read, one to listen, both made anew after they were lost.

    Not for several tasks at once: each follower of the log has a reader of its own.
    """

    def __init__(self, url: str, mapper: Mapper) -> None:
        self._url = url
        self._mapper = mapper
        self._reading: AsyncConnection[TupleRow] | None = None
        self._listening: AsyncConnection[TupleRow] | None = None
        self._was_cut = False

    async def __aenter__(self) -> "PostgresLogReader":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        for connection in (self._reading, self._listening):
            if connection is not None:
                await connection.close()
        self._reading = self._listening = None

    async def read(self, after: int, limit: int) -> list[Recorded]:
        """The events after the position, decoded: at most `limit`, and fewer when they are large."""
        rows = await self._rows(after, limit)
        keys = await self._keys(self._mapper.persons_in((row[3], row[4]) for row in rows))
        recorded = partial(self._mapper.recorded, keys=keys)
        return [recorded(*row) for row in rows]

    async def read_rows(self, after: int, limit: int) -> list[LogRow]:
        """The same as stored, without decoding anything."""
        return [LogRow._make(row) for row in await self._rows(after, limit)]

    async def _rows(self, after: int, limit: int) -> list[TupleRow]:
        async with self._connection() as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(_COLUMNS, (after, limit, READ_BYTES), prepare=True)
            (columns,) = await cursor.fetchall()
            rows = list(zip(*columns, strict=True)) if columns[0] else []
        self._was_cut = 0 < len(rows) < limit and sum([len(row[4]) for row in rows]) >= READ_BYTES
        return rows

    async def _keys(self, persons: Collection[UUID]) -> Keys:
        if not persons:
            return NO_KEYS
        async with self._connection() as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(KEYS, (list(persons),))
            return {person: bytes(key) for person, key in await cursor.fetchall()}

    async def read_rows_of(self, topic: str, after: int) -> tuple[list[LogRow], int]:
        """Those of one kind behind the position, and up to where there are no others: about as much as one read takes,
        of a part of the log."""
        async with self._connection() as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(_ROWS_OF, (after, after + SCAN, topic, READ_BYTES, after + SCAN), prepare=True)
            *rows, (reached, *_) = await cursor.fetchall()
        self._was_cut = len(rows) > 0 and sum([len(row[4]) for row in rows]) >= READ_BYTES
        if self._was_cut:
            return [LogRow._make(row) for row in rows], int(rows[-1][0])
        self._was_cut = reached == after + SCAN
        return [LogRow._make(row) for row in rows], int(reached)

    async def streams_after(self, after: int, limit: int) -> list[tuple[int, UUID]]:
        """Which streams the events after the position belong to: position and stream of each, at most `limit`."""
        async with self._connection() as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(
                "SELECT notification_id, originator_id FROM events"
                " WHERE notification_id > %s ORDER BY notification_id LIMIT %s",
                (after, limit),
                prepare=True,
            )
            return [(position, stream) for position, stream in await cursor.fetchall()]

    async def head(self) -> int:
        """The position of the newest event, 0 in an empty log."""
        return int(await self._value("SELECT coalesce(max(notification_id), 0)::text FROM events"))

    async def identity(self) -> str:
        """Which log this is: made once with the schema, different for every database."""
        return await self._value("SELECT id::text FROM log_identity")

    async def wait(self, timeout: float) -> None:
        """Returns when something was appended since the last call of `wait`, at the latest after `timeout` seconds;
        at once when the last read left something for the next. A lost connection counts as a reason to look."""
        if self._was_cut:
            self._was_cut = False
            return
        try:
            if self._listening is None or self._listening.closed:
                self._listening = await self._connect("tidemark listen")
                await self._listening.execute(f"LISTEN {EVENTS_TABLE}")
                return
            async for _ in self._listening.notifies(timeout=timeout, stop_after=1):
                pass  # to its end, which gives back the connection's lock
        except psycopg.OperationalError:
            if self._listening is not None:
                with suppress(psycopg.Error):
                    await self._listening.close()
            self._listening = None
            await asyncio.sleep(min(timeout, 0.2))

    async def _value(self, query: LiteralString) -> str:
        async with self._connection() as connection:
            row = await (await connection.execute(query)).fetchone()
            return str(row[0]) if row else ""

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        try:
            if self._reading is None or self._reading.closed:
                self._reading = await self._connect("tidemark reader")
            yield self._reading
        except (psycopg.OperationalError, psycopg.InterfaceError) as unavailable:
            if self._reading is not None:
                await self._reading.close()
            self._reading = None
            raise LogUnavailableError("the event log cannot be reached") from unavailable

    async def _connect(self, name: str) -> AsyncConnection[TupleRow]:
        return await AsyncConnection.connect(self._url, autocommit=True, connect_timeout=2, application_name=name)
