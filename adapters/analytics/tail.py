"""What the log has behind the last export, kept from one question to the next, which reads only what came since."""

import asyncio
from typing import NamedTuple

import pyarrow as pa

from adapters.analytics.manifest import Manifest, UnreadableManifestError
from adapters.analytics.query import ExportBehindError
from adapters.analytics.tables import Collected
from adapters.analytics.wire import TABLES, Tail
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import LogRow, PostgresLogReader

_READ = 5_000


class _Run(NamedTuple):
    """Events behind `after` up to `last`, by table."""

    after: int
    last: int
    tables: dict[str, pa.Table]


class LiveTail:
    """For several tasks at once. `longest` is how many events there may be."""

    def __init__(self, reader: PostgresLogReader, mapper: Mapper, longest: int) -> None:
        self._reader = reader
        self._mapper = mapper
        self._longest = longest
        self._runs: list[_Run] = []
        self._reached = 0
        self._log = ""
        self._one_at_a_time = asyncio.Lock()

    async def behind(self, manifest: Manifest) -> Tail:
        """Every event that is committed now. Raises ExportBehindError, UnreadableManifestError for the export of
        another log, and LogUnavailableError."""
        async with self._one_at_a_time:
            exported, head = manifest.position, await self._reader.head()
            if manifest.log not in ("", await self._identity()) or exported > head:
                raise UnreadableManifestError("The export is of another log, or of one that was set back since")
            self._keep(exported)
            if head - exported > self._longest:
                raise ExportBehindError(
                    f"The export is {head - exported} events behind, more than {self._longest}: run `tidemark export`"
                )
            while self._reached < head:
                rows = await self._reader.read_rows(self._reached, min(_READ, head - self._reached))
                collected = Collected(self._mapper)
                # A thread, so that whoever is served meanwhile does not wait.
                self._runs.append(await asyncio.to_thread(_run_of, collected, self._reached, rows))
                self._reached = rows[-1].position
            return Tail(self._reached, await asyncio.to_thread(_streams, list(self._runs)))

    def _keep(self, exported: int) -> None:
        """What is still behind the export, if nothing is missing before it: somebody may have begun a new one."""
        self._runs = [run for run in self._runs if run.last > exported]
        if not self._runs or self._runs[0].after > exported:
            self._runs, self._reached = [], exported

    async def _identity(self) -> str:
        self._log = self._log or await self._reader.identity()
        return self._log


def _run_of(collected: Collected, after: int, rows: list[LogRow]) -> _Run:
    collected.add(rows)
    tables: dict[str, list[pa.Table]] = {}
    for part, table in collected.tables():
        tables.setdefault(part.table, []).append(table)
    return _Run(after, collected.last, {name: _one(found) for name, found in tables.items()})


def _streams(runs: list[_Run]) -> dict[str, bytes]:
    found = {name: [run.tables[name] for run in runs if name in run.tables] for name in TABLES}
    return {name: _stream(_one(tables)) for name, tables in found.items() if tables}


def _one(tables: list[pa.Table]) -> pa.Table:
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables).unify_dictionaries()


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())
