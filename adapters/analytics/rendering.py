"""An answer as its reader wants it: JSON, CSV, or Arrow's stream."""

import base64
import csv
import io
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa
from pyarrow import compute

from adapters.analytics.wire import Format


def rendered(table: pa.Table, format: Format, position: int) -> bytes:
    """`position` is up to where the log was read; of the three only JSON has a place for it."""
    if format == "arrow":
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue().to_pybytes())
    if format == "csv":
        return _csv(table)
    columns = [{"name": field.name, "type": str(field.type)} for field in table.schema]
    rows = [[_json_value(value) for value in row] for row in _rows(table)]
    return msgspec.json.encode({"columns": columns, "rows": rows, "position": position})


def _csv(table: pa.Table) -> bytes:
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow(table.column_names)
    for row in _rows(table):
        writer.writerow([_csv_value(value) for value in row])
    return sink.getvalue().encode()


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    # By columns: two of them may have the same name.
    return zip(*(_values(column) for column in table.columns), strict=True)


def _values(column: Any) -> list[Any]:
    """Times are in UTC whatever zone they are shown in, and Python's zones are files that cannot be read any more."""
    if pa.types.is_timestamp(column.type):
        is_utc = column.type.tz is not None
        times = compute.cast(column, pa.timestamp("us"), safe=False).to_pylist()
        return [time.replace(tzinfo=UTC) if time and is_utc else time for time in times]
    values: list[Any] = column.to_pylist()
    return values


def _json_value(value: Any) -> Any:
    """JSON has no word for what is not a finite number, and none for times and bytes."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case timedelta():
            return value.total_seconds()
        case date() | time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case UUID():
            return str(value)
        case Mapping():
            return {str(key): _json_value(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_json_value(inner) for inner in value]
    return str(value)


def _csv_value(value: Any) -> Any:
    """Empty where there is nothing; what has parts, as JSON."""
    told = _json_value(value)
    if isinstance(told, bool):
        return "true" if told else "false"
    return msgspec.json.encode(told).decode() if isinstance(told, (list, dict)) else told
