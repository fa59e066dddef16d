"""Finding a place in a partition by an offset or by a time, in the log itself: entries are in order of both."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec

from domain.identifiers import partition_id
from domain.streams.partition import START, Offsets
from domain.streams.topic import is_log
from domain.value import Value
from projections.database import Database
from projections.positions import log_head
from projections.streams.messages import Entry, decode_entry

_LAST = b"""
    SELECT originator_version, state FROM events WHERE originator_id = %s ORDER BY originator_version DESC LIMIT 1
"""
_ENTRY = b"SELECT state FROM events WHERE originator_id = %s AND originator_version = %s"
_EVENT = b"SELECT state FROM events WHERE notification_id = %s"


class _Moment(Value):
    at: datetime


_moment = msgspec.json.Decoder(_Moment).decode


class PlaceQueries:
    """Each look halves what is left, so a place in millions is found in some twenty."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, name: str, partition: int) -> Offsets:
        """Behind the last message."""
        if is_log(name):
            return Offsets(offset=await log_head(self._database) + 1)
        rows = await self._database.fetch(_LAST, (partition_id(name, partition),))
        return _end(decode_entry(rows[0][1])) if rows else START

    async def at_offset(self, name: str, partition: int, offset: int) -> Offsets:
        """That of the message, or the end when there is none yet."""
        if is_log(name):
            return Offsets(offset=offset)
        return await self._first(
            name,
            partition,
            lambda entry: entry.data.offset + entry.data.count > offset,
            lambda entry: max(offset, entry.data.offset),
        )

    async def at_time(self, name: str, partition: int, at: datetime) -> Offsets:
        """Of the first message that was taken then or later."""
        if is_log(name):
            return Offsets(offset=await self._first_position(at))
        return await self._first(name, partition, lambda entry: entry.at >= at, lambda entry: entry.data.offset)

    async def _first(
        self, name: str, partition: int, is_there: Callable[[Entry], bool], offset_in: Callable[[Entry], int]
    ) -> Offsets:
        """In the first entry for which it holds, which holds for all behind it too."""
        stream = partition_id(name, partition)
        rows = await self._database.fetch(_LAST, (stream,))
        if not rows:
            return START
        high, found = rows[0][0], decode_entry(rows[0][1])
        if not is_there(found):
            return _end(found)
        low = 1
        while low < high:
            middle = (low + high) // 2
            entry = await self._entry(stream, middle)
            if is_there(entry):
                high, found = middle, entry
            else:
                low = middle + 1
        return Offsets(offset=offset_in(found), entries=high - 1)

    async def _entry(self, stream: UUID, number: int) -> Entry:
        return decode_entry((await self._database.fetch(_ENTRY, (stream, number)))[0][0])

    async def _first_position(self, at: datetime) -> int:
        low, high = 1, await log_head(self._database) + 1
        while low < high:
            middle = (low + high) // 2
            if _moment((await self._database.fetch(_EVENT, (middle,)))[0][0]).at >= at:
                high = middle
            else:
                low = middle + 1
        return low


def _end(entry: Entry) -> Offsets:
    return Offsets(offset=entry.data.offset + entry.data.count, entries=entry.data.entry)
