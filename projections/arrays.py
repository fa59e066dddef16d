"""Arrays of eight bytes a number as parameters, in PostgreSQL's binary form and written in one go.

psycopg's own dumper asks for the form of every item, and picks a type by the largest: with the values of a batch that
takes longer than anything else that is done with them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from struct import pack
from typing import Any, ClassVar

from psycopg.adapt import Dumper
from psycopg.cursor_async import AsyncCursor
from psycopg.pq import Format

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(at: datetime) -> int:
    """As an item of `Times`."""
    return (at - _EPOCH) // _MICROSECOND


class _Array:
    """Without nulls. `code` is that of `struct`."""

    oid: ClassVar[int]
    item_oid: ClassVar[int]
    code: ClassVar[str] = "iq"

    def __init__(self, items: Sequence[float]) -> None:
        self.items = items

    def binary(self) -> bytes:
        count = len(self.items)
        if not count:
            return pack("!iii", 0, 0, self.item_oid)
        # Dimensions, whether there are nulls, the type of the items, how many, the first index; each with its length.
        items = chain.from_iterable(zip(repeat(8), self.items, strict=False))
        return pack(f"!iiIii{self.code * count}", 1, 0, self.item_oid, count, 1, *items)


class Integers(_Array):
    """bigint[]"""

    oid, item_oid = 1016, 20


class Times(_Array):
    """timestamptz[], of `microseconds`."""

    oid, item_oid = 1185, 1184


class Numbers(_Array):
    """float8[]"""

    oid, item_oid, code = 1022, 701, "id"


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: _Array) -> bytes:
        return obj.binary()


class _IntegersDumper(_ArrayDumper):
    oid = Integers.oid


class _TimesDumper(_ArrayDumper):
    oid = Times.oid


class _NumbersDumper(_ArrayDumper):
    oid = Numbers.oid


def take_arrays(cursor: AsyncCursor[Any]) -> None:
    """From now on the cursor takes them as parameters."""
    cursor.adapters.register_dumper(Integers, _IntegersDumper)
    cursor.adapters.register_dumper(Times, _TimesDumper)
    cursor.adapters.register_dumper(Numbers, _NumbersDumper)
