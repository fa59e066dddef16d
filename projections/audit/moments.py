"""From a moment that somebody asks for to a position of the log."""

import asyncio
import re
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from application.ports import LogUnavailableError
from projections.as_of import AsOfError, Moment
from projections.audit.trail import AT, BLOCK
from projections.database import Database
from projections.positions import log_head

PATIENCE_SECONDS = 2.0
LOOK_SECONDS = 0.02
REMEMBERED = 1_000
# Nobody's clock is behind by more, so nothing will be recorded as of then any more.
SETTLED = timedelta(minutes=5)

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_is_position = re.compile(r"[0-9]{1,18}").fullmatch

_BEHIND = b"SELECT min(position) FROM projections"
_CLOSED = b"SELECT coalesce(max(block) + 1, 0) FROM audit_blocks"
_BLOCK_BEFORE = b"SELECT max(block) FROM audit_blocks WHERE earliest <= %s"
_LAST = f"""
    SELECT max(notification_id) FROM events WHERE notification_id BETWEEN %s AND %s AND {AT} <= %s
""".encode()
_TIME_OF = f"SELECT {AT} FROM events WHERE notification_id = %s".encode()


class UnreadableMomentError(AsOfError):
    """It is neither a position nor a time."""


class Moments:
    """`text` is a position, or a time of RFC 3339."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[datetime, int] = OrderedDict()

    def asked(self, text: str) -> Moment:
        async def told(position: int) -> datetime:
            """A time stands for itself, a position for the time of its event."""
            if not _is_position(text):
                return _time(text)
            at: datetime = (await self._database.fetch(_TIME_OF, (position,)))[0][0]
            return at.astimezone(UTC)

        return Moment(lambda: self.position_of(text), told)

    async def position_of(self, text: str) -> int:
        """Where the log ended then; the read models have come so far. Raises AsOfError and LogUnavailableError."""
        position = await self.position_in_log(text)
        await self._wait_for(position)
        return position

    async def position_in_log(self, text: str) -> int:
        """The same for whoever reads the log itself, whether read models have come so far or not."""
        if _is_position(text):
            position = int(text)
            head = await log_head(self._database)
            if position > head:
                raise AsOfError(f"as_of: position {position} is in the future; the log ends at {head}")
            if position < 1:
                raise AsOfError("as_of: nothing had happened yet; the log begins at position 1")
            return position
        return await self._position_at(_time(text))

    async def _position_at(self, time: datetime) -> int:
        now = datetime.now(UTC)
        if time > now:
            raise AsOfError(f"as_of: {_told(time)} is in the future; it is {_told(now)}")
        if (known := self._known.get(time)) is not None:
            return known
        edge = int((await self._database.fetch(_CLOSED))[0][0]) * BLOCK
        position = await self._last(edge, 2**62, time)
        if position is None:
            block = (await self._database.fetch(_BLOCK_BEFORE, (time,)))[0][0]
            position = None if block is None else await self._last(block * BLOCK, block * BLOCK + BLOCK - 1, time)
        if position is None:
            first = await self._database.fetch(_TIME_OF, (1,))
            began = f"; the log begins at {_told(first[0][0])}" if first else ""
            raise AsOfError(f"as_of: nothing had happened by {_told(time)} yet{began}")
        if now - time > SETTLED:
            self._known[time] = position
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return position

    async def _last(self, first: int, last: int, time: datetime) -> int | None:
        found: int | None = (await self._database.fetch(_LAST, (first, last, time)))[0][0]
        return found

    async def _wait_for(self, position: int) -> None:
        """Until the slowest read model has come so far."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        while ((await self._database.fetch(_BEHIND))[0][0] or 0) < position:
            if loop.time() > deadline:
                raise LogUnavailableError("the read models have not come so far yet")
            await asyncio.sleep(LOOK_SECONDS)


def _time(text: str) -> datetime:
    try:
        # A plus that was not encoded arrives as a space.
        return msgspec.convert(text.replace(" ", "+"), _Instant).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        raise UnreadableMomentError("as_of is a position, or a time such as 2026-11-24T08:00:00Z") from None


def _told(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
