"""Making the next checkpoint: what lies behind the last one is hashed, signed and stored."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import psycopg
from psycopg import Connection

from adapters.proof.checkpoints import connected, head_of, identity, last_position, newest
from adapters.proof.offline import FORMAT, MARK, NO_CHECKPOINT, Checkpoint, chain_start, chained, root_of
from adapters.proof.rows import leaves_of, position_of, raw_rows
from adapters.proof.signing import SigningKey

# Events may be a kilobyte each or a megabyte; whoever looks for a wrong one holds all of a checkpoint.
MOST_BYTES = 64 * 1024 * 1024


class NotInOrderError(Exception):
    """The log is not what it can be by itself: it is not signed."""


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
