"""Rows as COPY takes them in binary, made column by column: a tenth of what a row at a time costs."""

import struct
import sys
from array import array
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

BEGIN, END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Column(NamedTuple):
    """Values of `width` bytes each, as PostgreSQL has them, one after the other."""

    width: int
    values: bytes


def numbers(code: str, values: Iterable[float]) -> Column:
    """Of the type that `array` has this code for: q is int8, d is float8."""
    found = array(code, values)
    if sys.byteorder == "little":
        found.byteswap()
    return Column(found.itemsize, found.tobytes())


def microseconds(at: datetime) -> int:
    """A moment as PostgreSQL stores it."""
    return (at - _EPOCH) // _MICROSECOND


def rows(*columns: Column) -> bytes:
    """All rows, between BEGIN and END. No value is NULL."""
    empty = struct.pack("!h", len(columns)) + b"".join(
        struct.pack("!i", column.width) + bytes(column.width) for column in columns
    )
    count = len(columns[0].values) // columns[0].width
    made, at = bytearray(empty * count), 2
    for width, values in columns:
        at += 4
        for byte in range(width):
            made[at :: len(empty)] = values[byte::width]
            at += 1
    return bytes(made)
