"""Making the next checkpoint: what lies behind the last one is hashed, signed and stored."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Any

import psycopg
from psycopg import Connection

from adapters.proof.checkpoints import ProofDatabase, checkpoints_after, head_of, identity, newest, numbered
from adapters.proof.offline import FORMAT, MARK, NO_CHECKPOINT, Checkpoint, chain_start, chained, root_of
from adapters.proof.rows import leaves_of, position_of, raw_rows
from adapters.proof.signing import SigningKey

# Events may be a kilobyte each or a megabyte; whoever looks for a wrong one holds all of a checkpoint.
MOST_BYTES = 64 * 1024 * 1024


class NotInOrderError(Exception):
    """The log is not what it can be by itself: it is not signed."""


class Ledger:
    """Signs what lies behind the last checkpoint. All that it needs is in the database: it may be killed at any time.
    Everything it is asked may raise LogUnavailableError.

    A checkpoint has at most so many events, and about so many bytes of them.
    """

    def __init__(
        self, url: str, key: SigningKey, clock: Callable[[], datetime], most: int, most_bytes: int = MOST_BYTES
    ) -> None:
        self._database = ProofDatabase(url)
        self._key = key
        self._most = most
        self._most_bytes = most_bytes
        self._clock = clock

    def close(self) -> None:
        self._database.close()

    def waiting(self) -> tuple[int, int]:
        """How many events lie behind the last checkpoint, and the number of that."""
        with self._database.connection() as connection:
            last = newest(connection)
            return head_of(connection) - (last.last if last else 0), last.number if last else 0

    def numbered(self, number: int) -> Checkpoint | None:
        with self._database.connection() as connection:
            return numbered(connection, number)

    def following(self, number: int, most: int) -> Sequence[Checkpoint]:
        """The next checkpoints after that one."""
        with self._database.connection() as connection:
            return list(islice(checkpoints_after(connection, number), most))

    def extend(self) -> Checkpoint | None:
        """The next checkpoint, which is stored; None when nothing was appended. Of several that do so at once one
        succeeds and the others get None. Raises NotInOrderError."""
        with self._database.connection() as connection:
            previous, log = newest(connection), identity(connection)
            leaves = leaves_of(self._rows(connection, previous.last if previous else 0))
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

    def _rows(self, connection: Connection[Any], last: int) -> Iterator[memoryview]:
        size = 0
        for position, row in enumerate(raw_rows(connection, last, last + self._most), last + 1):
            if position_of(row) != position:
                raise NotInOrderError(f"position {position} of the log is missing or doubled")
            yield row
            if (size := size + len(row)) >= self._most_bytes:
                return

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
