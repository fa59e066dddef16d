"""Reading as of an earlier moment: the same queries, asked of the tables as they were.

A query that is asked so gets, in front of it, a snapshot of each table that it names, under the table's own name. What
of its rows was true at a position a versioned table knows by itself; others say so where they are made (`as_of` in the
table's `info`), or cannot be asked (docs/adr/0023).
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

POSITION = ":position:"
"""Stands for the position in what a table's `info` says."""

NOW_ONLY = "as_of: this is known as it is now only"


class AsOfError(Exception):
    """The moment cannot be asked for; the text says why."""


class NotKeptError(AsOfError):
    """What is asked for is known as it is now only."""


class ForgottenError(AsOfError):
    """It was kept, and has made room for what is newer."""


class Moment:
    """What somebody asked for: `find` tells the position, and which time it is then. `position` is known once something
    was read."""

    def __init__(self, find: Callable[[], Awaitable[tuple[int, datetime]]]) -> None:
        self._find = find
        self._found: tuple[int, datetime] | None = None

    @property
    def position(self) -> int | None:
        return self._found[0] if self._found else None

    async def resolve(self) -> int:
        """Raises AsOfError, and LogUnavailableError."""
        return (await self._resolved())[0]

    async def time(self) -> datetime:
        """By which clocks that tell what has passed are read. Raises what `resolve` does."""
        return (await self._resolved())[1]

    async def _resolved(self) -> tuple[int, datetime]:
        if self._found is None:
            with reading_as_of(None):
                self._found = await self._find()
        return self._found


_MOMENT: ContextVar[Moment | None] = ContextVar("as_of", default=None)


def moment() -> Moment | None:
    """The one that is asked for, None for now."""
    return _MOMENT.get()


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def clock(now: Callable[[], datetime] = _utc_now) -> datetime:
    """The time of the moment that is asked for; `now` tells it where that is now."""
    asked = moment()
    return now() if asked is None else await asked.time()


def require_now() -> None:
    """For what is partly answered from memory. Raises NotKeptError."""
    if moment() is not None:
        raise NotKeptError(NOW_ONLY)


@contextmanager
def reading_as_of(asked: Moment | None) -> Iterator[None]:
    """Everything in here is read as of then; None is now."""
    token = _MOMENT.set(asked)
    try:
        yield
    finally:
        _MOMENT.reset(token)


def snapshot(
    query: bytes, values: Mapping[str, Any] | Sequence[Any], position: int, tables: sa.MetaData
) -> tuple[bytes, Mapping[str, Any] | Sequence[Any]]:
    """The query, of the tables as they were at the position, and its values. Raises NotKeptError."""
    if isinstance(values, Mapping) or not values:
        # The position is one of the values, so that the query is prepared once for all positions.
        return _snapshot(query, f"%({_NAME})s::bigint", tables), {**dict(values), _NAME: position}
    return _snapshot(query, str(position), tables), values


@lru_cache(maxsize=1_000)
def _snapshot(query: bytes, position: str, tables: sa.MetaData) -> bytes:
    words = set(_words(str(query, "utf-8")))
    views = [_view(table).replace(POSITION, position) for name, table in tables.tables.items() if name in words]
    if not views:
        return query
    begins = _WITH.match(query)
    recursive, rest = (begins[1] or b"", b", " + query[begins.end() :]) if begins else (b"", query)
    return b"WITH %b%b %b" % (recursive, ", ".join(views).encode(), rest)


_NAME = "as_of_position"
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
        raise NotKeptError(NOW_ONLY)
    return f"{table.name} AS NOT MATERIALIZED ({told})"
