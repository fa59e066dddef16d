"""The values of messages as they lie in the log: writing them to an archive, taking them out."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import LiteralString
from urllib.parse import quote
from uuid import UUID

import cramjam
import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from adapters.embedded.directory import sync_directory
from adapters.proof.withholding import without_values
from application.ports import LogUnavailableError
from domain.event import Source
from domain.identifiers import partition_id
from domain.streams.partition import MessagesProduced, Offsets
from domain.value import Value

ENTRIES = 500
BYTES = 8 * 1024 * 1024

_READ: LiteralString = """
    SELECT originator_version, state FROM (
        SELECT *, sum(octet_length(state)) OVER (ORDER BY originator_version) - octet_length(state) AS before
        FROM (
            SELECT originator_version, state FROM events
            WHERE originator_id = %s AND originator_version > %s AND originator_version <= %s
            ORDER BY originator_version LIMIT %s
        ) entries
    ) measured WHERE before < %s ORDER BY originator_version
"""
_WRITE: LiteralString = """
    UPDATE events e SET state = n.state FROM unnest(%s::bigint[], %s::bytea[]) n(version, state)
    WHERE e.originator_id = %s AND e.originator_version = n.version
"""
_REMOVED: LiteralString = "SELECT position FROM checkpoints WHERE name = %s"
_REMOVE: LiteralString = (
    "INSERT INTO checkpoints VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET position = excluded.position"
)


class _Stored(Value):
    """The column `state`, whole."""

    id: UUID
    at: datetime
    actor: str
    source: Source
    correlation_id: str
    data: MessagesProduced
    causation_id: str | None = None


_decode = msgspec.json.Decoder(_Stored).decode
_encode = msgspec.json.Encoder().encode
_values = msgspec.json.Decoder(list[msgspec.Raw]).decode


class LogValues:
    """Fills Values. Archives go below `directory`: `<topic>/<day>.ndjson.zst`, one JSON object for each message."""

    def __init__(self, url: str, directory: Path | None) -> None:
        self._url = url
        self._directory = directory

    async def archive(self, name: str, day: date, parts: Mapping[int, tuple[Offsets, Offsets]]) -> str:
        assert self._directory is not None
        file = Path(quote(name, safe=""), f"{day.isoformat()}.ndjson.zst")
        whole = self._directory / file
        whole.parent.mkdir(parents=True, exist_ok=True)
        unfinished = whole.with_suffix(".unfinished")
        async with self._connected() as connection:
            with unfinished.open("wb") as sink:
                for partition, (first, end) in sorted(parts.items()):
                    async for entries in _read(connection, name, partition, first.entries, end.entries):
                        # Frames that follow one another are one file to whoever reads it.
                        lines = b"".join([_lines(_decode(state)) for _, state in entries])
                        sink.write(bytes(cramjam.zstd.compress(lines)))
                sink.flush()
                os.fsync(sink.fileno())
        unfinished.replace(whole)
        sync_directory(whole.parent)
        return str(file)

    async def remove(self, name: str, first: Sequence[Offsets]) -> int:
        removed = 0
        async with self._connected() as connection:
            for partition, end in enumerate(first):
                stream = partition_id(name, partition)
                mark = f"values of {stream}"
                rows = await (await connection.execute(_REMOVED, (mark,))).fetchall()
                done = int(rows[0][0]) if rows else 0
                async for entries in _read(connection, name, partition, done, end.entries):
                    versions = [version for version, _ in entries]
                    emptied = [without_values(state) for _, state in entries]
                    async with connection.transaction():
                        await connection.execute(_WRITE, (versions, emptied, stream))
                        await connection.execute(_REMOVE, (mark, versions[-1]))
                    removed += len(entries)
        return removed

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection[TupleRow]]:
        try:
            async with await AsyncConnection.connect(
                self._url, autocommit=True, connect_timeout=2, application_name="tidemark retention"
            ) as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as unavailable:
            raise LogUnavailableError("the event log cannot be reached") from unavailable


async def _read(
    connection: AsyncConnection[TupleRow], name: str, partition: int, after: int, until: int
) -> AsyncIterator[Sequence[tuple[int, bytes]]]:
    """Versions and states."""
    while after < until:
        cursor = connection.cursor(binary=True)
        await cursor.execute(_READ, (partition_id(name, partition), after, until, ENTRIES, BYTES))
        rows = await cursor.fetchall()
        if not rows:
            return
        after = rows[-1][0]
        yield [(version, state) for version, state in rows]


def _lines(entry: _Stored) -> bytes:
    data, at = entry.data, _encode(entry.at)
    return b"".join(
        b'{"partition":%d,"offset":%d,"at":%s,"value":%s}\n' % (data.partition, offset, at, _on_one_line(bytes(value)))
        for offset, value in enumerate(_values(data.values), data.offset)
    )


def _on_one_line(value: bytes) -> bytes:
    """Line breaks stand between tokens only: in a text they are escaped."""
    return value.replace(b"\r", b" ").replace(b"\n", b" ")
