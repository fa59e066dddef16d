"""Queries against read models: SQLAlchemy Core statements, run on psycopg, of now or of an earlier moment.

A statement is compiled once and kept, because compiling costs more than most of these queries. Statements are
therefore built once, as constants beside their table, and take their values as bound parameters.
"""

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, Self, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from application.ports import LogUnavailableError
from projections.as_of import moment, snapshot

METADATA = sa.MetaData()

PATIENCE_SECONDS = 2.0
AVOID_SECONDS = 0.5

_AWAY = (psycopg.OperationalError, psycopg.InterfaceError)

R = TypeVar("R")
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


class Database:
    """A pool of connections for reading. Raises LogUnavailableError while PostgreSQL is away."""

    def __init__(self, url: str, *, connections: int = 8) -> None:
        self.url = url
        self._pool: AsyncConnectionPool[AsyncConnection[TupleRow]] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=connections,
            open=False,
            timeout=PATIENCE_SECONDS,
            reconnect_timeout=2,
            kwargs={"autocommit": True, "connect_timeout": 2, "application_name": "tidemark queries"},
        )
        self._away_until = 0.0
        self._compiled: dict[sa.Executable, bytes] = {}

    async def __aenter__(self) -> Self:
        await self._pool.open(wait=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def fetch(
        self, query: bytes, values: Mapping[str, Any] | Sequence[Any] = (), patience: float = PATIENCE_SECONDS
    ) -> Sequence[TupleRow]:
        """The rows of a query that only reads. Gives up after two seconds, and for a moment after that at once, so
        that a request that asks several times is refused in time.

        More `patience` is for what may well take long: that it does says nothing about the database."""
        if (asked_for := moment()) is not None:
            query, values = snapshot(query, values, await asked_for.resolve(), METADATA)
        if monotonic() < self._away_until:
            raise LogUnavailableError("the database cannot be reached")
        # Not cancelled when it takes too long: psycopg would wait for the server to confirm that.
        asked = asyncio.ensure_future(self._fetch_again(query, values))
        asked.add_done_callback(_swallow)
        await asyncio.wait({asked}, timeout=patience)
        if asked.done() and not isinstance(asked.exception(), _AWAY):
            return asked.result()
        if asked.done() or patience <= PATIENCE_SECONDS:
            self._away_until = monotonic() + AVOID_SECONDS
        raise LogUnavailableError("the database cannot be reached") from (asked.exception() if asked.done() else None)

    async def _fetch_again(self, query: bytes, values: Mapping[str, Any] | Sequence[Any]) -> Sequence[TupleRow]:
        """After an outage the pool is full of dead connections; they are found out here and the query is asked
        once more."""
        try:
            return await self._fetch(query, values)
        except PoolTimeout:
            raise
        except _AWAY:
            await self._pool.check()
        return await self._fetch(query, values)

    async def _fetch(self, query: bytes, values: Mapping[str, Any] | Sequence[Any]) -> Sequence[TupleRow]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(query, values, prepare=True)
            return await cursor.fetchall()

    async def all(
        self, statement: sa.Select[Any], patience: float = PATIENCE_SECONDS, /, **values: Any
    ) -> Sequence[TupleRow]:
        """All rows of a statement that is built once; `values` are its bound parameters."""
        return await self.fetch(self._compile(statement), values, patience)

    def _compile(self, statement: sa.Select[Any]) -> bytes:
        query = self._compiled.get(statement)
        if query is None:
            query = self._compiled[statement] = str(statement.compile(dialect=_DIALECT)).encode()
        return query

    async def all_of(
        self, table: sa.Table, rows: str, statement: sa.Select[Any], /, **values: Any
    ) -> Sequence[TupleRow]:
        """The same, with these rows in the table's place: SQL that takes its values from `values` too."""
        columns = ", ".join(column.name for column in table.columns)
        asked = self._compile(statement)
        return await self.fetch(f"WITH {table.name} ({columns}) AS (SELECT * FROM {rows}) ".encode() + asked, values)

    async def one(self, statement: sa.Select[Any], /, **values: Any) -> TupleRow | None:
        """The first row, or None."""
        rows = await self.all(statement, **values)
        return rows[0] if rows else None


def storable(text: str) -> str:
    """PostgreSQL's texts cannot hold a NUL; the event has it."""
    return text.replace("\0", "\ufffd")


def _swallow(asked: "asyncio.Future[Any]") -> None:
    """Nobody waits for it any more, so nobody else would look at how it ended."""
    if not asked.cancelled():
        asked.exception()
