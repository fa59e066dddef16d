"""When each consumer was last heard of, and what arrived at it last, in tables that every process shares."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from application.ports import LogUnavailableError

PATIENCE_SECONDS = 2.0

# In the order of ids, so that two processes that write the same ones do not wait for each other.
_TOUCH: LiteralString = """
    INSERT INTO stream_sessions (consumer_id, seen_at)
    SELECT id, now() FROM unnest(%s::bytea[]) AS heard(id) ORDER BY id
    ON CONFLICT (consumer_id) DO UPDATE SET seen_at = greatest(stream_sessions.seen_at, excluded.seen_at)
"""
_SILENT: LiteralString = (
    "SELECT consumer_id FROM stream_sessions WHERE seen_at < now() - make_interval(secs => %s) ORDER BY 1 LIMIT 1000"
)
_FORGET: LiteralString = (
    "DELETE FROM stream_sessions WHERE consumer_id = ANY(%s) AND seen_at < now() - make_interval(secs => %s)"
)
_NOTE_ARRIVED: LiteralString = """
    INSERT INTO stream_deliveries (consumer_id, delivery, arrived_at)
    SELECT id, delivery, now() FROM unnest(%s::bytea[], %s::uuid[]) AS arrived(id, delivery) ORDER BY id
    ON CONFLICT (consumer_id) DO UPDATE SET delivery = excluded.delivery, arrived_at = excluded.arrived_at
"""
_LAST_ARRIVED: LiteralString = "SELECT delivery FROM stream_deliveries WHERE consumer_id = %s"
_FORGET_ARRIVED: LiteralString = "DELETE FROM stream_deliveries WHERE arrived_at < now() - make_interval(secs => %s)"


class PostgresSessions:
    """Fills SessionStore and DeliveryStore. `async with` it: it has one connection, made anew after it was lost.

    Nothing waits for the disk: a session that is lost with the database's memory is one that nobody heard of lately,
    and what arrived may come again."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: AsyncConnection[TupleRow] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> "PostgresSessions":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def touch(self, consumer_ids: Collection[str]) -> None:
        await self._ask(_TOUCH, ([_stored(id) for id in consumer_ids],))

    async def silent(self, seconds: float) -> Sequence[str]:
        rows = await self._ask(_SILENT, (seconds,), fetch=True)
        return [str(bytes(id), "utf-8", "surrogatepass") for (id,) in rows]

    async def forget(self, consumer_ids: Collection[str], seconds: float) -> None:
        await self._ask(_FORGET, ([_stored(id) for id in consumer_ids], seconds))

    async def note_arrived(self, deliveries: Mapping[str, UUID]) -> None:
        await self._ask(_NOTE_ARRIVED, ([_stored(id) for id in deliveries], list(deliveries.values())))

    async def last_arrived(self, consumer_id: str) -> UUID | None:
        rows = await self._ask(_LAST_ARRIVED, (_stored(consumer_id),), fetch=True)
        return rows[0][0] if rows else None

    async def forget_arrived(self, seconds: float) -> None:
        await self._ask(_FORGET_ARRIVED, (seconds,))

    async def _ask(self, query: LiteralString, values: Sequence[Any], *, fetch: bool = False) -> Sequence[TupleRow]:
        """Once more when the connection was lost: each of these may happen twice."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._one_at_a_time:
                try:
                    return await self._ask_once(query, values, fetch)
                except (psycopg.OperationalError, psycopg.InterfaceError):
                    await self._forget_connection()
                return await self._ask_once(query, values, fetch)
        except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError) as away:
            await self._forget_connection()
            raise LogUnavailableError("the sessions of consumers cannot be written down") from away

    async def _ask_once(self, query: LiteralString, values: Sequence[Any], fetch: bool) -> Sequence[TupleRow]:
        if self._connection is None:
            self._connection = await AsyncConnection.connect(
                self._url,
                autocommit=True,
                connect_timeout=2,
                application_name="tidemark sessions",
                options="-c synchronous_commit=off",
            )
        cursor = await self._connection.execute(query, values)
        return await cursor.fetchall() if fetch else ()

    async def _forget_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


def _stored(consumer_id: str) -> bytes:
    """As bytes, because an id may be any text, and PostgreSQL's texts cannot hold every one."""
    return consumer_id.encode(errors="surrogatepass")
