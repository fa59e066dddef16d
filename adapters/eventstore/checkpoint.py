"""How far something outside the database has come, for when it cannot tell itself."""

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from application.ports import LogUnavailableError


class Checkpoint:
    """A position under a name. What is kept may be a little behind; nothing waits for the disk."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: AsyncConnection[TupleRow] | None = None

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def load(self) -> int:
        """0 when nothing was ever kept. Raises LogUnavailableError."""
        rows = await self._ask("SELECT position FROM checkpoints WHERE name = %s", (self._name,))
        return int(rows[0][0]) if rows else 0

    async def keep(self, position: int) -> None:
        """Raises LogUnavailableError."""
        await self._ask(
            "INSERT INTO checkpoints (name, position) VALUES (%s, %s)"
            " ON CONFLICT (name) DO UPDATE SET position = excluded.position RETURNING 0",
            (self._name, position),
        )

    async def _ask(self, query: str, values: tuple[object, ...]) -> list[TupleRow]:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = await AsyncConnection.connect(
                    self._url,
                    autocommit=True,
                    connect_timeout=2,
                    application_name=f"tidemark {self._name}",
                    options="-c synchronous_commit=off",
                )
            return await (await self._connection.execute(query.encode(), values)).fetchall()
        except (psycopg.OperationalError, psycopg.InterfaceError) as unavailable:
            await self.close()
            raise LogUnavailableError("the checkpoint cannot be reached") from unavailable
