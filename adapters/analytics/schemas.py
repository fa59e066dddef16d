"""The tables of analytics.

`events` has every event, as whoever may read the log sees it. The others have what many questions are about, typed, so
that nobody has to look through the text of ten million events for the few that count.
"""

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

EVENTS: Final = "events"

AT: Final = pa.timestamp("us", tz="UTC")
_NAME = pa.dictionary(pa.int32(), pa.string())
_ENVELOPE = [("position", pa.int64()), ("at", AT)]


def _schema(*columns: tuple[str, Any]) -> Any:
    return pa.schema([*_ENVELOPE, *columns])


SCHEMAS: Final[Mapping[str, Any]] = {
    EVENTS: pa.schema(
        [
            ("position", pa.int64()),
            ("id", pa.string()),
            ("at", AT),
            ("actor", _NAME),
            ("source", _NAME),
            ("correlation_id", pa.string()),
            ("causation_id", pa.string()),
            ("topic", _NAME),
            ("aggregate_id", _NAME),
            ("version", pa.int64()),
            ("data", pa.string()),
        ]
    ),
    "readings": _schema(
        ("reading_id", pa.int64()),
        ("device_id", _NAME),
        ("sensor_id", _NAME),
        ("value_at", AT),
        ("value", pa.float64()),
    ),
    "metrics": _schema(
        ("device_id", _NAME),
        ("name", _NAME),
        ("value", pa.float64()),
        ("text", _NAME),
        ("units", _NAME),
        ("type", _NAME),
        ("ttl", pa.int64()),
    ),
    "presence": _schema(("device_id", _NAME), ("is_there", pa.bool_()), ("through", _NAME), ("reason", _NAME)),
    "commands": _schema(
        ("command_id", pa.string()),
        ("step", _NAME),
        ("device_id", _NAME),
        ("kind", _NAME),
        ("action", _NAME),
        ("part_id", _NAME),
        ("status", _NAME),
        ("reason", _NAME),
    ),
    "messages": _schema(
        ("name", _NAME),
        ("partition", pa.int32()),
        ("first_offset", pa.int64()),
        ("count", pa.int64()),
    ),
}
