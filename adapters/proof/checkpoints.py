"""The table of signed checkpoints."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.proof.offline import Checkpoint
from adapters.proof.rows import CONNECTION_OPTIONS
from application.ports import LogUnavailableError

_PAGE = 50


class ProofDatabase:
    """One connection to the log and its checkpoints, made anew after it was lost. Not for two threads at once."""

    def __init__(self, url: str, name: str = "tidemark proof") -> None:
        self._url = url
        self._name = name
        self._connection: Connection[TupleRow] | None = None

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def connection(self) -> Iterator[Connection[TupleRow]]:
        """Raises LogUnavailableError, also when the connection is lost later."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = Connection.connect(
                    self._url,
                    autocommit=True,
                    connect_timeout=2,
                    application_name=self._name,
                    options=CONNECTION_OPTIONS,
                )
            yield self._connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as unavailable:
            self.close()
            raise LogUnavailableError("the event log cannot be reached") from unavailable


@contextmanager
def connected(url: str, name: str = "tidemark proof") -> Iterator[Connection[TupleRow]]:
    """For once. Raises LogUnavailableError."""
    database = ProofDatabase(url, name)
    try:
        with database.connection() as connection:
            yield connection
    finally:
        database.close()


def identity(connection: Connection[Any]) -> str:
    """Which log this is."""
    return str(_one(connection, "SELECT id::text FROM log_identity")[0])


def head_of(connection: Connection[Any]) -> int:
    return int(_one(connection, "SELECT coalesce(max(notification_id), 0) FROM events")[0])


def newest(connection: Connection[Any]) -> Checkpoint | None:
    """Without its marks, which are many."""
    return _found(
        connection, "SELECT statement, signature, ''::bytea FROM proof_checkpoints ORDER BY number DESC LIMIT 1"
    )


def numbered(connection: Connection[Any], number: int) -> Checkpoint | None:
    return _found(connection, "SELECT statement, signature, marks FROM proof_checkpoints WHERE number = %s", (number,))


def covering(connection: Connection[Any], position: int) -> Checkpoint | None:
    """The one that proves the event; without its marks."""
    return _found(
        connection,
        "SELECT statement, signature, ''::bytea FROM proof_checkpoints WHERE last_position >= %s"
        " ORDER BY last_position LIMIT 1",
        (position,),
    )


def checkpoints_after(connection: Connection[Any], number: int) -> Iterator[Checkpoint]:
    """All behind that one, in order, a few at a time."""
    while True:
        rows = connection.execute(
            "SELECT statement, signature, marks, number FROM proof_checkpoints WHERE number > %s"
            " ORDER BY number LIMIT %s",
            (number, _PAGE),
            binary=True,
        ).fetchall()
        for statement, signature, marks, _ in rows:
            yield Checkpoint.of(statement.encode(), signature, marks)
        if len(rows) < _PAGE:
            return
        number = rows[-1][3]


def line_of(checkpoint: Checkpoint, *, with_marks: bool = True) -> str:
    """One line of JSON, as it lies in files."""
    said = {
        "statement": checkpoint.statement.decode(),
        "signature": base64.b64encode(checkpoint.signature).decode(),
    }
    if with_marks:
        said["marks"] = base64.b64encode(checkpoint.marks).decode()
    return json.dumps(said, separators=(",", ":"))


def _one(connection: Connection[Any], query: str) -> TupleRow:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return tuple(row)


def _found(connection: Connection[Any], query: str, parameters: tuple[object, ...] = ()) -> Checkpoint | None:
    row = connection.execute(query.encode(), parameters, binary=True).fetchone()
    return Checkpoint.of(row[0].encode(), row[1], row[2]) if row else None
