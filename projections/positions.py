"""How far each read model has come, and reads that wait until theirs has come far enough."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from projections.as_of import moment
from projections.database import Database
from projections.present_lookup import PresentLookup

CHANNEL: LiteralString = "projected"

_HEAD = b"SELECT coalesce(max(notification_id), 0) FROM events"
_POSITIONS = (
    b"SELECT h.head, p.name, p.position FROM (SELECT coalesce(max(notification_id), 0) AS head FROM events) h"
    b" LEFT JOIN projections p ON true"
)


class Freshness(NamedTuple):
    """What a read is going to see. `position` is how far the read model was when last looked at; `fresh` is
    false when it had not reached the `head` of the moment the read began, within the time given."""

    position: int
    head: int
    fresh: bool


class _Look(NamedTuple):
    head: int
    positions: dict[str, int]


class Positions:
    """Lets reads wait for read models. Use `running()` around its life.

    Reads that come in together share one look at the database, which began after each of them did.
    """

    def __init__(self, database: Database, *, patience: float = 2.0) -> None:
        self._database = database
        self._patience = patience
        self._looks = PresentLookup(self._look_for_all)
        self._moved = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Positions"]:
        """Listens for the projections' progress meanwhile."""
        listening = asyncio.create_task(self._listen(), name="projection progress")
        try:
            yield self
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    async def fresh(self, name: str) -> Freshness:
        """Waits until the read model has everything that the log has now, at most the patience of this process.

        Raises LogUnavailableError.
        """
        head, position = await self._look(name)
        wanted = head
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        while position < wanted and (left := deadline - loop.time()) > 0:
            moved = self._moved
            with suppress(TimeoutError):
                # The short bound covers a notification that was lost with its connection.
                await asyncio.wait_for(moved.wait(), min(left, 0.1))
            head, position = await self._look(name)
        return Freshness(position, wanted, position >= wanted)

    @property
    def next_move(self) -> asyncio.Event:
        """Is set when read models have moved after this was asked for. Take it before looking, wait for it after."""
        return self._moved

    async def _look(self, name: str) -> tuple[int, int]:
        """Head of the log and position of the read model, by a query that begins after this call."""
        seen = await self._looks.find(None)
        assert seen is not None
        # A model that no worker has registered yet has not even reached the start.
        return seen.head, seen.positions.get(name, -1)

    async def _look_for_all(self, _: object) -> dict[None, _Look]:
        rows = await self._database.fetch(_POSITIONS)
        return {None: _Look(rows[0][0], {name: position for _, name, position in rows})}

    async def _listen(self) -> None:
        while True:
            try:
                async with await AsyncConnection.connect(
                    self._database.url, autocommit=True, connect_timeout=2, application_name="tidemark progress"
                ) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}".encode())
                    self._tell()  # whatever moved while nobody listened
                    async for _ in connection.notifies():
                        self._tell()
            except psycopg.OperationalError:
                await asyncio.sleep(0.5)

    def _tell(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


class ProjectionStatus(NamedTuple):
    """One read model as operators see it; rates are events a second, `rebuild_*` None when none was started."""

    name: str
    version: int
    position: int
    lag: int
    rate: float
    state: str
    detail: str
    rebuild_state: str | None
    rebuild_position: int | None
    rebuild_target: int | None
    rebuild_rate: float | None
    rebuild_seconds_left: float | None


_STATUS = b"""
    SELECT p.name, p.version, p.position, h.head - p.position AS lag,
           CASE WHEN p.updated_at < now() - interval '10 seconds' THEN 0 ELSE p.rate END,
           CASE WHEN p.updated_at < now() - interval '10 seconds' AND h.head > p.position AND p.state <> 'failed'
                THEN 'stopped' ELSE p.state END,
           p.detail,
           CASE WHEN r.state = 'running' AND r.updated_at < now() - interval '30 seconds'
                THEN 'abandoned' ELSE r.state END,
           r.position, r.target, r.rate,
           CASE WHEN r.state = 'running' AND r.rate > 0 THEN (r.target - r.position) / r.rate::double precision END
    FROM projections p LEFT JOIN rebuilds r USING (name),
         (SELECT coalesce(max(notification_id), 0) AS head FROM events) h
    ORDER BY p.name
"""


async def projection_statuses(database: Database) -> Sequence[ProjectionStatus]:
    """All read models with their progress, by name."""
    return [ProjectionStatus._make(row) for row in await database.fetch(_STATUS)]


async def log_head(database: Database) -> int:
    """The position of the newest event, 0 in an empty log; of the newest by then, where an earlier moment is asked
    for."""
    if (asked := moment()) is not None:
        return await asked.resolve()
    return int((await database.fetch(_HEAD))[0][0])


async def register(connection: AsyncConnection[TupleRow], models: Iterable[Any]) -> dict[str, tuple[int, int]]:
    """Makes sure that every model has its row; returns their versions and positions by name."""
    for model in models:
        await connection.execute(
            "INSERT INTO projections (name, version) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (model.name, model.version),
        )
    cursor = await connection.execute("SELECT name, version, position FROM projections")
    return {name: (version, position) for name, version, position in await cursor.fetchall()}
