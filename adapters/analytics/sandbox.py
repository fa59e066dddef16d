"""The program that answers one question in SQL and can do nothing else: it reads the request, puts up its walls, and
only then looks at the SQL.

DuckDB's own locks are the first wall, the kernel's the second: a hole in one is not a hole.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from adapters.analytics.rendering import rendered
from adapters.analytics.schemas import AT, EVENTS, SCHEMAS
from adapters.analytics.walls import die_with_parent, limit, raise_walls
from adapters.analytics.wire import Outcome, Request, read_frame, write_frame

# Beside what DuckDB may take: Python, the libraries, the stacks of threads, the answer.
BESIDE = 3 * 1024**3

_BATCH = 10_000
_QUESTIONS = frozenset({duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN})

# The time of an event has the name of a word of DuckDB's.
_AT_HINT = '\n\nHint: write "at" in quotes, or with its table, as in events.at'
_bare_at = re.compile(r"""(?<![\w."'])at(?![\w"'])""", re.IGNORECASE).search


class RefusedError(Exception):
    """The question cannot be answered, for a reason that whoever asked can do something about."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


def main() -> None:
    die_with_parent()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    request = msgspec.json.decode(read_frame(source), type=Request)
    limit(request.memory + BESIDE, request.seconds)
    tail = {name: _table(read_frame(source)) for name in request.tail}
    try:
        connection = _connected(request, tail)
        pa.scalar(0, AT).as_py()  # finds the zone of UTC while files can be read
        raise_walls([Path(request.directory)])
        rows, body = _answer(connection, request)
        outcome = Outcome(rows=rows)
    except RefusedError as refused:
        outcome, body = refused.outcome, b""
    except duckdb.IOException as missing:
        # Files that were merged into others since the manifest was read.
        outcome, body = Outcome(refused="files_gone", message=str(missing)), b""
    write_frame(sink, msgspec.json.encode(outcome))
    write_frame(sink, body)
    sink.flush()


def _connected(request: Request, tail: Mapping[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    """A database in memory with a view for each table, and then every door locked."""
    connection = duckdb.connect(":memory:")
    for setting in (
        f"memory_limit = '{request.memory}B'",
        f"threads = {request.threads}",
        "temp_directory = ''",
        "TimeZone = 'UTC'",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "allow_community_extensions = false",
        "allow_persistent_secrets = false",
        "python_enable_replacements = false",
        # A file of ours never changes, and whether it has is asked for each of thousands.
        "validate_external_file_cache = 'NO_VALIDATION'",
    ):
        connection.execute(f"SET {setting}")
    for name in SCHEMAS:
        connection.register(f"tail_{name}", tail.get(name, SCHEMAS[name].empty_table()))
        paths = [f"{request.directory}/{path}" for path in request.files.get(name, ())]
        connection.execute(_view(name, paths, request.exported))
    for setting in (
        f"allowed_paths = {_listed([f'{request.directory}/{path}' for path in _all(request.files)])}",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
    return connection


def _view(name: str, paths: Sequence[str], exported: int) -> str:
    """What was exported, and what came since."""
    columns = _quoted(SCHEMAS[name].names)
    context = ", split_part(topic, '.', 1) AS context" if name == EVENTS else ""
    select = f'SELECT {columns}, CAST("at" AS DATE) AS day{context} FROM tail_{name} WHERE position > {exported}'
    if paths:
        folders = "day, context" if name == EVENTS else "day"
        types = "{'day': DATE, 'context': VARCHAR}" if name == EVENTS else "{'day': DATE, 'telemetry': VARCHAR}"
        files = f"read_parquet({_listed(paths)}, hive_partitioning = true, hive_types = {types})"
        select = f"SELECT {columns}, {folders} FROM {files} UNION ALL {select}"
    return f"CREATE VIEW {name} AS {select}"


def _answer(connection: duckdb.DuckDBPyConnection, request: Request) -> tuple[int, bytes]:
    try:
        statements = connection.extract_statements(request.sql)
        if len(statements) != 1 or statements[0].type not in _QUESTIONS:
            raise _refused("sql", "Ask one question: a single SELECT, or EXPLAIN, DESCRIBE or SUMMARIZE")
        reader = _reader(connection, statements[0], dict(request.parameters))
        batches = list(_bounded(reader, request))
        table = pa.Table.from_batches(batches, reader.schema)
        body = rendered(table, request.format, request.position)
    except (MemoryError, duckdb.OutOfMemoryException):
        raise _refused("limit", f"It takes more than {_megabytes(request.memory)} of memory") from None
    except duckdb.IOException:
        raise
    except duckdb.ParserException as wrong:
        hint = _AT_HINT if _bare_at(request.sql) else ""
        raise _refused("sql", f"{wrong}{hint}") from None
    except (duckdb.Error, pa.ArrowException) as wrong:
        raise _refused("sql", str(wrong)) from None
    if len(body) > request.most_bytes:
        raise _too_large(request)
    return table.num_rows, body


def _reader(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement, parameters: dict[str, Any]) -> Any:
    try:
        return connection.sql(statement, params=parameters).to_arrow_reader(_BATCH)
    except (duckdb.BinderException, duckdb.CatalogException):
        connection.execute(statement, parameters)  # fails with the same, and then says in which line
        raise


def _bounded(reader: Any, request: Request) -> Iterator[pa.RecordBatch]:
    rows = bytes = 0
    for batch in reader:
        rows += batch.num_rows
        bytes += batch.nbytes
        if rows > request.most_rows:
            raise _refused("limit", f"There are more than {request.most_rows} rows: add LIMIT, or ask for sums")
        if bytes > request.most_bytes:
            raise _too_large(request)
        yield batch


def _too_large(request: Request) -> RefusedError:
    return _refused(
        "limit", f"The answer is larger than {_megabytes(request.most_bytes)}: ask for fewer columns or rows"
    )


def _refused(kind: Any, message: str) -> RefusedError:
    return RefusedError(Outcome(refused=kind, message=message))


def _megabytes(size: int) -> str:
    return f"{size / 1024**2:g} MB"


def _all(files: Mapping[str, Sequence[str]]) -> Sequence[str]:
    return [path for paths in files.values() for path in paths]


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _listed(texts: Sequence[str]) -> str:
    return "[" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]"


def _table(stream: bytes) -> pa.Table:
    return pa.ipc.open_stream(stream).read_all()


if __name__ == "__main__":
    main()
