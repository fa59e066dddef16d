"""Arrays as parameters in PostgreSQL's binary form, written in one go.

psycopg's own array dumper asks for the form of every item; for a batch of a thousand events that takes longer than
PostgreSQL takes to insert them.
"""

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER = Struct("!iiIii").pack  # dimensions, has nulls, type of the items, number of items, first index
_LENGTH = Struct("!i").pack
_BIGINT = Struct("!q").pack


class Array:
    """A one-dimensional array without nulls."""

    oid: ClassVar[int]
    item_oid: ClassVar[int]

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items

    def binary_items(self) -> Iterable[bytes]:
        raise NotImplementedError


class UuidArray(Array):
    oid, item_oid = 2951, 2950
    items: Sequence[UUID]

    def binary_items(self) -> Iterable[bytes]:
        return [item.bytes for item in self.items]


class BigintArray(Array):
    oid, item_oid = 1016, 20
    items: Sequence[int]

    def binary_items(self) -> Iterable[bytes]:
        return [_BIGINT(item) for item in self.items]


class TextArray(Array):
    oid, item_oid = 1009, 25
    items: Sequence[str]

    def binary_items(self) -> Iterable[bytes]:
        return [item.encode() for item in self.items]


class ByteaArray(Array):
    oid, item_oid = 1001, 17
    items: Sequence[bytes]

    def binary_items(self) -> Iterable[bytes]:
        return self.items


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> bytes:
        parts = [_HEADER(1, 0, obj.item_oid, len(obj.items), 1)]
        for item in obj.binary_items():
            parts += (_LENGTH(len(item)), item)
        return b"".join(parts)


class _UuidArrayDumper(_ArrayDumper):
    oid = UuidArray.oid


class _BigintArrayDumper(_ArrayDumper):
    oid = BigintArray.oid


class _TextArrayDumper(_ArrayDumper):
    oid = TextArray.oid


class _ByteaArrayDumper(_ArrayDumper):
    oid = ByteaArray.oid


def register_arrays(connection: Connection[Any]) -> None:
    connection.adapters.register_dumper(UuidArray, _UuidArrayDumper)
    connection.adapters.register_dumper(BigintArray, _BigintArrayDumper)
    connection.adapters.register_dumper(TextArray, _TextArrayDumper)
    connection.adapters.register_dumper(ByteaArray, _ByteaArrayDumper)
