"""The table of signed checkpoints, and making the next one."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from adapters.proof.offline import FORMAT, MARK, NO_CHECKPOINT, Checkpoint, chain_start, chained, root_of
from adapters.proof.rows import CONNECTION_OPTIONS, leaf_of_row, position_of, raw_rows
from adapters.proof.signing import SigningKey
from application.ports import LogUnavailableError

# Events may be a kilobyte each or a megabyte; whoever looks for a wrong one holds all of a checkpoint.
MOST_BYTES = 64 * 1024 * 1024

_PAGE = 50


class NotInOrderError(Exception):
    """The log is not what it can be by itself: it is not signed."""


@contextmanager
def connected(url: str, name: str = "tidemark proof") -> Iterator[Connection[TupleRow]]:
    """Raises LogUnavailableError, also when the connection is lost later."""
    try:
        with Connection.connect(
            url, autocommit=True, connect_timeout=2, application_name=name, options=CONNECTION_OPTIONS
        ) as connection:
            yield connection
    except (psycopg.OperationalError, psycopg.InterfaceError) as unavailable:
        raise LogUnavailableError("the event log cannot be reached") from unavailable


class Ledger:
    """Signs what lies behind the last checkpoint. All that it needs is in the database: it may be killed at any time.

    A checkpoint has at most so many events, and about so many bytes of them.
    """

    def __init__(
        self, url: str, key: SigningKey, clock: Callable[[], datetime], most: int, most_bytes: int = MOST_BYTES
    ) -> None:
        self._url = url
        self._key = key
        self._most = most
        self._most_bytes = most_bytes
        self._clock = clock

    def waiting(self) -> int:
        """How many events lie behind the last checkpoint."""
        with connected(self._url) as connection:
            return head_of(connection) - last_position(connection)

    def extend(self) -> Checkpoint | None:
        """The next checkpoint, which is stored; None when nothing was appended. Of several that do so at once one
        succeeds and the others get None. Raises NotInOrderError and LogUnavailableError."""
        with connected(self._url) as connection:
            previous, log = newest(connection), identity(connection)
            leaves = self._leaves(connection, previous.last if previous else 0)
            if not leaves:
                return None
            checkpoint = self._signed(previous, log, leaves)
            try:
                connection.execute(
                    "INSERT INTO proof_checkpoints VALUES (%s, %s, %s, %s, %s)",
                    (
                        checkpoint.number,
                        checkpoint.last,
                        checkpoint.statement.decode(),
                        checkpoint.signature,
                        checkpoint.marks,
                    ),
                )
            except psycopg.errors.UniqueViolation:
                return None
            return checkpoint

    def _leaves(self, connection: Connection[Any], last: int) -> Sequence[bytes]:
        leaves: list[bytes] = []
        size = 0
        for position, row in enumerate(raw_rows(connection, last, last + self._most), last + 1):
            if position_of(row) != position:
                raise NotInOrderError(f"position {position} of the log is missing or doubled")
            leaves.append(leaf_of_row(row))
            if (size := size + len(row)) >= self._most_bytes:
                break
        return leaves

    def _signed(self, previous: Checkpoint | None, log: str, leaves: Sequence[bytes]) -> Checkpoint:
        marks = b"".join([leaf[:MARK] for leaf in leaves])
        last = previous.last if previous else 0
        public_key = self._key.public_key
        said = {
            "format": FORMAT,
            "log": log,
            "number": previous.number + 1 if previous else 1,
            "first": last + 1,
            "last": last + len(leaves),
            "chain": chained(previous.chain if previous else chain_start(log), leaves).hex(),
            "root": root_of(leaves).hex(),
            "marks": sha256(marks).hexdigest(),
            "previous": previous.digest if previous else NO_CHECKPOINT,
            "at": self._clock().isoformat(),
            "key": sha256(public_key).hexdigest()[:16],
            "public_key": public_key.hex(),
        }
        statement = json.dumps(said, separators=(",", ":")).encode()
        return Checkpoint.of(statement, self._key.sign(statement), marks)


def identity(connection: Connection[Any]) -> str:
    """Which log this is."""
    return str(_one(connection, "SELECT id::text FROM log_identity")[0])


def head_of(connection: Connection[Any]) -> int:
    return int(_one(connection, "SELECT coalesce(max(notification_id), 0) FROM events")[0])


def last_position(connection: Connection[Any]) -> int:
    """Up to where there are checkpoints."""
    return int(_one(connection, "SELECT coalesce(max(last_position), 0) FROM proof_checkpoints")[0])


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
