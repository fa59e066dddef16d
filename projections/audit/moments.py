"""From a moment that somebody asks for to a position of the log."""

import asyncio
import re
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

import msgspec

from application.ports import LogUnavailableError
from projections.as_of import AsOfError, Moment
from projections.audit.trail import AT, BLOCK
from projections.database import Database

PATIENCE_SECONDS = 2.0
LOOK_SECONDS = 0.02
REMEMBERED = 1_000
# Nobody's clock is behind by more, so nothing will be recorded as of then any more.
SETTLED = timedelta(minutes=5)

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_is_position = re.compile(r"[0-9]{1,18}").fullmatch

_REACHED = "(SELECT coalesce(min(position), 0) FROM projections)"
_HEAD = "(SELECT coalesce(max(notification_id), 0) FROM events)"
_ENDS_AND_TIME = f"SELECT {_HEAD}, {_REACHED}, (SELECT {AT} FROM events WHERE notification_id = %s)".encode()
_BEHIND = f"SELECT {_REACHED}".encode()
_CLOSED = b"SELECT coalesce(max(block) + 1, 0) FROM audit_blocks"
_BLOCK_BEFORE = b"SELECT max(block) FROM audit_blocks WHERE earliest <= %s"
# PostgreSQL walks back from the end and stops at the first that it finds.
_LAST = f"(SELECT max(notification_id) FROM events WHERE notification_id BETWEEN %s AND %s AND {AT} <= %s)"
_LAST_OF_BLOCK = f"SELECT {_LAST}".encode()
_LAST_OF_ALL = f"SELECT {_LAST}, {_HEAD}, {_REACHED}".encode()
_TIME_OF = f"SELECT {AT} FROM events WHERE notification_id = %s".encode()


class UnreadableMomentError(AsOfError):
    """It is neither a position nor a time."""


class _Seen(NamedTuple):
    """The last event by a time, of those up to the position `head`; `is_settled` when no other will come."""

    position: int
    head: int
    is_settled: bool


class _Found(NamedTuple):
    """A position, its time, and how far the slowest read model has come."""

    position: int
    time: datetime
    reached: int


class Moments:
    """`text` is a position, or a time of RFC 3339."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[datetime, _Seen] = OrderedDict()

    def asked(self, text: str) -> Moment:
        return Moment(lambda: self._reached(text))

    async def _reached(self, text: str) -> tuple[int, datetime]:
        """Where the log ended then, and which time that is: a time stands for itself, a position for the time of its
        event. The read models have come so far. Raises AsOfError and LogUnavailableError."""
        found = await self._find(text)
        await self._wait_for(found.position, found.reached)
        return found.position, found.time

    async def position_in_log(self, text: str) -> int:
        """The same for whoever reads the log itself, whether read models have come so far or not."""
        return (await self._find(text)).position

    async def _find(self, text: str) -> _Found:
        """Asks once where it can, since this comes before every list of the past."""
        if not _is_position(text):
            time = _time(text)
            position, reached = await self._find_time(time)
            return _Found(position, time, reached)
        position = int(text)
        head, reached, at = (await self._database.fetch(_ENDS_AND_TIME, (position,)))[0]
        if position > head:
            raise AsOfError(f"as_of: position {position} is in the future; the log ends at {head}")
        if position < 1:
            raise AsOfError("as_of: nothing had happened yet; the log begins at position 1")
        return _Found(position, at.astimezone(UTC), reached)

    async def _find_time(self, time: datetime) -> tuple[int, int]:
        now = datetime.now(UTC)
        if time > now:
            raise AsOfError(f"as_of: {_told(time)} is in the future; it is {_told(now)}")
        known = self._known.get(time)
        if known is not None and known.is_settled:
            return known.position, (await self._database.fetch(_BEHIND))[0][0]
        # What was looked through once is not looked through again.
        seen = known.head if known is not None else int((await self._database.fetch(_CLOSED))[0][0]) * BLOCK - 1
        last, head, reached = (await self._database.fetch(_LAST_OF_ALL, (seen + 1, 2**62, time)))[0]
        position = last if last is not None else known.position if known else await self._last_closed(time)
        if position is None:
            first = await self._database.fetch(_TIME_OF, (1,))
            began = f"; the log begins at {_told(first[0][0])}" if first else ""
            raise AsOfError(f"as_of: nothing had happened by {_told(time)} yet{began}")
        self._known[time] = _Seen(position, max(seen, head), is_settled=now - time > SETTLED)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return position, reached

    async def _last_closed(self, time: datetime) -> int | None:
        """The last event by then in the blocks that are full."""
        block = (await self._database.fetch(_BLOCK_BEFORE, (time,)))[0][0]
        if block is None:
            return None
        last: int | None = (
            await self._database.fetch(_LAST_OF_BLOCK, (block * BLOCK, block * BLOCK + BLOCK - 1, time))
        )[0][0]
        return last

    async def _wait_for(self, position: int, reached: int) -> None:
        """Until the slowest read model has come so far."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        while reached < position:
            if loop.time() > deadline:
                raise LogUnavailableError("the read models have not come so far yet")
            await asyncio.sleep(LOOK_SECONDS)
            reached = (await self._database.fetch(_BEHIND))[0][0]


def _time(text: str) -> datetime:
    try:
        # A plus that was not encoded arrives as a space.
        return msgspec.convert(text.replace(" ", "+"), _Instant).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        raise UnreadableMomentError("as_of is a position, or a time such as 2026-11-24T08:00:00Z") from None


def _told(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
