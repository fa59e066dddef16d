"""The library's PostgreSQL recorder, with an insert made for batches and positions without gaps.

The recorder's table, lock and notification stay as the library has them. Three things differ. Events go in as
four arrays. The position of an event is the previous one plus
one, assigned under the table lock, where the library's sequence leaves a gap behind every rolled back
transaction; so a reader can tell from the positions alone that it missed nothing. And an insert whose answer was
lost with its connection is not repeated here: it is in doubt until somebody has looked (`committed`).
"""

import os
import select
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, socket
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import Connection, sql
from psycopg.rows import DictRow, dict_row

from adapters.eventstore.arrays import BigintArray, ByteaArray, TextArray, UuidArray, register_arrays
from adapters.eventstore.persons import DESTROY_KEYS, KEYS, MAKE_KEYS, Keys, new_keys

EVENTS_TABLE = "events"
SNAPSHOTS_TABLE = "snapshots"
APPEND_FUNCTION = "append_events"

# The advisory lock of whoever lost too often and now has the log to itself; the function append_events names it too.
_TURN = 0x71DF

# Beyond so many foreign events, forgetting everything is cheaper than naming what changed.
NAMED_CHANGES = 10_000


class LogDatastore(PostgresDatastore):
    """Connections for the recorder: a small stack of its own, because a pool that backs off after an outage
    comes back long after the database did."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[Connection[DictRow]] = []
        self._busy: set[Connection[DictRow]] = set()
        self._closed = False
        self._lock = Lock()
        super().__init__("", "", "", "", "")

    @contextmanager
    def get_connection(self) -> Iterator[Connection[DictRow]]:
        with self._lock:
            if self._closed:
                raise psycopg.InterfaceError("the event log was closed")
            connection = self._idle.pop() if self._idle else None
        if connection is None or not _is_alive(connection):
            connection = Connection.connect(
                self._url, autocommit=True, row_factory=dict_row, connect_timeout=2, application_name="tidemark log"
            )
            # psycopg 3.3 never finishes sending what a pipeline could not hand to the kernel at once, and then waits
            # for ever for an answer: seen with batches of 8 MB on loopback, sooner on a network. Blocking, libpq
            # sends it all.
            connection.pgconn.nonblocking = 0
            register_arrays(connection)
        with self._lock:
            self._busy.add(connection)
        try:
            yield connection
        finally:
            with self._lock:
                self._busy.discard(connection)
            if connection.closed or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.close()
            else:
                with self._lock:
                    self._idle.append(connection)

    def register_type_adapters(self) -> None:
        """Nothing to register: events go in as arrays of plain types."""

    def interrupt(self) -> None:
        """Ends whatever still waits for an answer, and everything asked from now on, so that their threads can end."""
        with self._lock:
            self._closed = True
            for connection in self._busy:
                _hang_up(connection)

    def close(self) -> None:
        for connection in getattr(self, "_idle", ()):
            connection.close()


def _hang_up(connection: Connection[DictRow]) -> None:
    """Closing belongs to the thread that uses the connection; it wakes when there is nobody left to hear from."""
    with suppress(OSError, psycopg.OperationalError), socket(fileno=os.dup(connection.fileno())) as copy:
        copy.shutdown(SHUT_RDWR)


def _is_alive(connection: Connection[DictRow]) -> bool:
    """Whether an idle connection is still good: one on which something can be read was closed by the server."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        connection.close()
        return False
    return True


class Row(NamedTuple):
    """One event in the order of the table's columns."""

    aggregate_id: UUID
    version: int
    topic: str
    state: bytes


class Insertion(NamedTuple):
    """What became of a batch. Nothing was inserted when `stale`; `changed` is None when too much to name."""

    first: int
    head: int
    changed: Collection[UUID] | None = ()
    stale: bool = False


class InDoubtError(Exception):
    """The connection was lost before PostgreSQL said whether the rows were committed. `committed` can tell."""


class LogRecorder(PostgresApplicationRecorder):
    """Appends batches and reads many aggregates at once."""

    def __init__(self, datastore: LogDatastore) -> None:
        super().__init__(datastore, events_table_name=EVENTS_TABLE)
        table = sql.Identifier(datastore.schema, self.events_table_name)
        channel = sql.Identifier(self.channel_name)
        self._notify = sql.SQL("NOTIFY {}").format(channel)
        self._append = sql.SQL("SELECT {}(%(ids)s, %(versions)s, %(topics)s, %(states)s, %(head)s) AS appended").format(
            sql.Identifier(datastore.schema, APPEND_FUNCTION)
        )
        # The lock comes first in a statement of its own, so that this one's snapshot sees every earlier append.
        self._insert = sql.SQL(
            "INSERT INTO {table} (originator_id, originator_version, topic, state, notification_id)"
            " SELECT e.id, e.version, e.topic, e.state, %(head)s + e.n FROM"
            " unnest(%(ids)s::uuid[], %(versions)s::bigint[], %(topics)s::text[], %(states)s::bytea[])"
            " WITH ORDINALITY AS e(id, version, topic, state, n)"
        ).format(table=table)
        self._same = sql.SQL(
            "SELECT notification_id FROM {} WHERE originator_id = %s AND originator_version = %s AND state = %s"
        ).format(table)
        # Whoever has the turn is let through, everybody else waits here for the end of it.
        self.lock_table_statements.insert(0, sql.SQL("SELECT pg_advisory_xact_lock({})").format(_TURN))
        self._head = sql.SQL("SELECT coalesce(max(notification_id), 0) AS head FROM {}").format(table)
        self._changed = sql.SQL(
            "SELECT DISTINCT originator_id FROM {} WHERE notification_id > %s AND notification_id <= %s"
        ).format(table)
        self._whole = sql.SQL(
            "SELECT originator_id, originator_version, topic, state FROM {}"
            " WHERE originator_id = ANY(%s) ORDER BY originator_id, originator_version"
        ).format(table)
        self._since_snapshot = sql.SQL(
            "SELECT e.originator_id, e.originator_version, e.topic, e.state FROM"
            " unnest(%s::uuid[], %s::bigint[]) AS s(id, version)"
            " JOIN {} e ON e.originator_id = s.id AND e.originator_version > s.version"
            " ORDER BY e.originator_id, e.originator_version"
        ).format(table)
        self._snapshots = sql.SQL(
            "SELECT DISTINCT ON (originator_id) originator_id, originator_version, topic, state FROM {}"
            " WHERE originator_id = ANY(%s) ORDER BY originator_id, originator_version DESC"
        ).format(sql.Identifier(datastore.schema, SNAPSHOTS_TABLE))
        self._tails = sql.SQL(
            "SELECT e.originator_id, e.originator_version, e.topic, e.state"
            " FROM unnest(%s::uuid[], %s::int[]) AS s(id, tail), LATERAL (SELECT * FROM {}"
            " WHERE originator_id = s.id ORDER BY originator_version DESC LIMIT s.tail) e"
            " ORDER BY e.originator_id, e.originator_version"
        ).format(table)
        self._keep_snapshots = sql.SQL(
            "INSERT INTO {} (originator_id, originator_version, topic, state)"
            " SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::bytea[])"
            " ON CONFLICT (originator_id, originator_version)"
            " DO UPDATE SET topic = excluded.topic, state = excluded.state"
        ).format(sql.Identifier(datastore.schema, SNAPSHOTS_TABLE))

    def insert(
        self, rows: Sequence[Row], after: int, looked_at: Collection[UUID], forgotten: Collection[UUID] = ()
    ) -> Insertion:
        """Appends the rows after position `after` in one transaction, unless one of the aggregates `looked_at`
        was written since. The keys of the `forgotten` are destroyed with it.

        Usually nobody else wrote, and one round trip does it. If somebody did, a second transaction takes the
        lock first, looks at what changed and then appends, so that two busy writers cannot starve each other.

        Raises InDoubtError when the answer was lost; after every other error nothing was appended.
        """
        with self.datastore.get_connection() as connection:
            try:
                if rows and not forgotten and self._insert_at(connection, rows, after):
                    return Insertion(after + 1, after + len(rows))
                return self._insert_behind(connection, rows, after, looked_at, forgotten)
            except (psycopg.OperationalError, psycopg.InterfaceError) as lost:
                if _is_refusal(connection, lost):
                    raise
                raise InDoubtError from lost

    def _insert_at(self, connection: Connection[DictRow], rows: Sequence[Row], head: int) -> bool:
        """One statement, which is its own transaction."""
        cursor = connection.execute(self._append, self._arrays(rows, head), binary=True, prepare=True)
        appended: int = sum(row["appended"] for row in cursor)
        return appended == len(rows)

    def _insert_behind(
        self,
        connection: Connection[DictRow],
        rows: Sequence[Row],
        after: int,
        looked_at: Collection[UUID],
        forgotten: Collection[UUID],
    ) -> Insertion:
        with connection.transaction():
            if rows:
                self._lock_table(connection.cursor())
            head = self._head_of(connection)
            changed: Collection[UUID] | None = ()
            if head > after + NAMED_CHANGES:
                changed = None
            elif head > after:
                found = connection.execute(self._changed, (after, head), binary=True).fetchall()
                changed = {row["originator_id"] for row in found}
            if changed is None or not changed_nothing(changed, looked_at):
                return Insertion(0, head, changed, stale=True)
            if rows:
                connection.execute(self._notify)
                connection.execute(self._insert, self._arrays(rows, head), binary=True, prepare=True)
            if forgotten:
                connection.execute(DESTROY_KEYS, (list(forgotten),))
        return Insertion(head + 1, head + len(rows), changed)

    @staticmethod
    def _arrays(rows: Sequence[Row], head: int) -> dict[str, Any]:
        ids, versions, topics, states = zip(*rows, strict=True)
        return {
            "head": head,
            "ids": UuidArray(ids),
            "versions": BigintArray(versions),
            "topics": TextArray(topics),
            "states": ByteaArray(states),
        }

    def committed(self, rows: Sequence[Row]) -> Insertion | None:
        """Where the rows stand if an insert that was in doubt was committed, None if it was not and never will be:
        the lock is given only when its transaction has ended."""
        if not rows:
            return None
        first = rows[0]
        with self.datastore.get_connection() as connection, connection.transaction():
            self._lock_table(connection.cursor())
            found = connection.execute(self._same, (first.aggregate_id, first.version, first.state)).fetchone()
        if found is None:
            return None
        position = int(found["notification_id"])
        return Insertion(position, position + len(rows) - 1, None)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Lets no other session append. Whoever uses this recorder in the meantime must use one connection only."""
        with self.datastore.get_connection() as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (_TURN,))
        try:
            yield
        finally:
            with self.datastore.get_connection() as connection:
                connection.execute("SELECT pg_advisory_unlock(%s)", (_TURN,))

    def keys(self, persons: Collection[UUID], *, make: bool = False) -> Keys:
        """Of those who have one; with `make` all have, but those who were forgotten."""
        if not persons:
            return {}
        with self.datastore.get_connection() as connection:
            made = connection.execute(MAKE_KEYS, new_keys(persons), binary=True, prepare=True) if make else ()
            rows = list(made)
            if len(rows) < len(persons):  # another process made one meanwhile, or somebody was forgotten
                rows = connection.execute(KEYS, (list(persons),), binary=True).fetchall()
        return {row["person"]: bytes(row["key"]) for row in rows}

    def head(self) -> int:
        with self.datastore.get_connection() as connection:
            return self._head_of(connection)

    def histories(self, ids: Sequence[UUID]) -> list[StoredEvent]:
        """All events of the aggregates."""
        return self._events(self._whole, (list(ids),))

    def histories_since(self, versions: dict[UUID, int]) -> list[StoredEvent]:
        """The events of each aggregate after its given version."""
        return self._events(self._since_snapshot, (list(versions), list(versions.values())))

    def tails(self, tails: dict[UUID, int]) -> list[StoredEvent]:
        """The last so many events of each aggregate."""
        return self._events(self._tails, (list(tails), list(tails.values())))

    def latest_snapshots(self, ids: Sequence[UUID]) -> list[StoredEvent]:
        return self._events(self._snapshots, (list(ids),))

    def keep_snapshots(self, rows: Sequence[Row]) -> None:
        arrays = [list(column) for column in zip(*rows, strict=True)]
        with self.datastore.get_connection() as connection:
            connection.execute(self._keep_snapshots, arrays, binary=True)

    def _events(self, query: sql.Composed, parameters: tuple[Any, ...]) -> list[StoredEvent]:
        with self.datastore.get_connection() as connection:
            rows = connection.execute(query, parameters, binary=True).fetchall()
        return [
            StoredEvent(row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))
            for row in rows
        ]

    def _head_of(self, connection: Connection[DictRow]) -> int:
        return sum(row["head"] for row in connection.execute(self._head))


def _is_refusal(connection: Connection[DictRow], error: psycopg.Error) -> bool:
    """Whether PostgreSQL itself said no (its disk is full, say). A session that it ends may have committed before."""
    return not connection.closed and error.sqlstate is not None and not error.sqlstate.startswith("57P")


def changed_nothing(changed: Collection[UUID], looked_at: Collection[UUID]) -> bool:
    return not any(aggregate_id in looked_at for aggregate_id in changed)
