"""The log page by page, for whoever reads all of it: half as dear as by the reader of those who follow it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, LiteralString, Self

import psycopg

from adapters.eventstore.reader import READ_BYTES, ROWS
from application.ports import LogUnavailableError

StoredRow = tuple[Any, ...]
"""Position, aggregate, version, topic and state."""


class LogPages:
    """A connection for one thread at a time, not for the event loop. All of it raises LogUnavailableError."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[StoredRow] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def identity(self) -> str:
        """Which log this is."""
        return str(self._value("SELECT id::text FROM log_identity"))

    def head(self) -> int:
        """The position of the newest event, 0 in an empty log."""
        return int(self._value("SELECT coalesce(max(notification_id), 0) FROM events"))

    def rows(self, after: int, limit: int) -> Sequence[StoredRow]:
        """At most `limit`, and fewer when they are large."""
        with self._cursor() as cursor:
            return cursor.execute(ROWS, (after, limit, READ_BYTES), prepare=True).fetchall()

    def _value(self, query: LiteralString) -> Any:
        with self._cursor() as cursor:
            row = cursor.execute(query).fetchone()
        return row[0] if row else None

    @contextmanager
    def _cursor(self) -> Iterator[psycopg.Cursor[StoredRow]]:
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._url, autocommit=True, connect_timeout=5, application_name="tidemark export"
                )
            with self._connection.cursor(binary=True) as cursor:
                yield cursor
        except (psycopg.OperationalError, psycopg.InterfaceError) as unavailable:
            raise LogUnavailableError("the event log cannot be reached") from unavailable
