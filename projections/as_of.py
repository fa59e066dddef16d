"""Reading as of an earlier moment: the same queries, asked of the tables as they were.

A query that is asked so gets, in front of it, a snapshot of each table that it names, under the table's own name. What
of its rows was true at a position a versioned table knows by itself; others say so where they are made (`as_of` in the
table's `info`), or cannot be asked (docs/adr/0023).
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

import sqlalchemy as sa

POSITION = ":position:"
"""Stands for the position in what a table's `info` says."""


class AsOfError(Exception):
    """The moment cannot be asked for; the text says why."""


class NotKeptError(AsOfError):
    """What is asked for is known as it is now only."""


class Moment:
    """What somebody asked for. `position` is known once something was read."""

    def __init__(self, find: Callable[[], Awaitable[int]]) -> None:
        self._find = find
        self.position: int | None = None

    async def resolve(self) -> int:
        """Raises AsOfError, and LogUnavailableError."""
        if self.position is None:
            with reading_as_of(None):
                self.position = await self._find()
        return self.position


_MOMENT: ContextVar[Moment | None] = ContextVar("as_of", default=None)


def moment() -> Moment | None:
    """The one that is asked for, None for now."""
    return _MOMENT.get()


@contextmanager
def reading_as_of(asked: Moment | None) -> Iterator[None]:
    """Everything in here is read as of then; None is now."""
    token = _MOMENT.set(asked)
    try:
        yield
    finally:
        _MOMENT.reset(token)


def snapshot(query: bytes, position: int, tables: sa.MetaData) -> bytes:
    """The query, of the tables as they were at the position. Raises NotKeptError."""
    named, begins, rest = _parts(query, tables)
    if not named:
        return query
    views = ", ".join(_view(table).replace(POSITION, str(position)) for table in named)
    return b"WITH %b%b %b" % (begins, views.encode(), rest)


@lru_cache(maxsize=1_000)
def _parts(query: bytes, tables: sa.MetaData) -> tuple[Sequence[sa.Table], bytes, bytes]:
    """The tables that it names, whether it begins recursively, and the query without its own WITH."""
    words = set(_words(str(query, "utf-8")))
    named = [table for name, table in tables.tables.items() if name in words]
    begins = _WITH.match(query)
    if begins is None:
        return named, b"", query
    return named, begins[1] or b"", b", " + query[begins.end() :]


_words = re.compile(r"[a-z_]+").findall
_WITH = re.compile(rb"\s*WITH\s+(RECURSIVE\s+)?", re.IGNORECASE)


def _view(table: sa.Table) -> str:
    told = table.info.get("as_of")
    if told is None and "valid_from" in table.c:
        columns = ", ".join(f'"{column.name}"' for column in table.c if column.name != "valid_to")
        told = (
            f"SELECT {columns}, NULL::bigint AS valid_to FROM public.{table.name}"
            f" WHERE valid_from <= {POSITION} AND (valid_to IS NULL OR valid_to > {POSITION})"
        )
    if told is None:
        raise NotKeptError("as_of: this is known as it is now only")
    return f"{table.name} AS NOT MATERIALIZED ({told})"
