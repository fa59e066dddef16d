"""The history of metrics as of an earlier moment (docs/adr/0023).

A point that was written stays as it is. So what there was is what there is now, up to the last second that had been
written by then, which follows from the last report by then. What the rings have made room of since is an error, and
never an answer without it.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from domain.identifiers import VALUES_PER_EVENT, reading_place
from domain.metrics.grid import ARCHIVES, Grid
from domain.metrics.series import STEP
from projections.as_of import ForgottenError, reading_as_of
from projections.database import Database
from projections.metrics.current_past import OF_METRIC_THEN
from projections.metrics.current_rows import CURRENT_METRICS

_GONE = f"""
    SELECT FROM metric_pages e CROSS JOIN LATERAL (
        SELECT numbers FROM metric_pages p
        WHERE p.metric_id = e.metric_id AND p.device_id = e.device_id AND p.first <= %(position)b::bigint
        ORDER BY p.first DESC LIMIT 1
    ) p
    WHERE e.ends AND e.upto > %(position)b::bigint AND e.since < (%(position)b::bigint + 1) * {VALUES_PER_EVENT}
        AND (%(device)b::uuid IS NULL OR e.device_id = %(device)b::uuid)
        AND (%(metric)b::uuid IS NULL OR e.metric_id = %(metric)b::uuid)
        AND p.numbers IS NOT NULL
    LIMIT 1
""".encode()
_TIMES = b"""
    SELECT notification_id, split_part(convert_from(substring(state FROM 52 FOR 28), 'UTF8'), '"', 1)::timestamptz
    FROM events WHERE notification_id = ANY(%s::bigint[])
"""
_KEPT = ("an hour", "a day", "90 days")


class HistoryPast:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def ends(self, position: int, devices: Collection[UUID], metric: UUID, now: int) -> Mapping[UUID, int]:
        """The last second that was written of the metric of each device by `now`. A text has ended what was fed; when
        exactly that was written last is not kept, and the second of the text stands for it."""
        values = {"position": position, "metric_id": metric, "devices": list(devices)}
        with reading_as_of(None):
            rows = await self._database.all_of(CURRENT_METRICS, OF_METRIC_THEN, _LAST, **values)
        return {device: _end(number is None, reported, expires, now) for device, number, reported, expires in rows}

    async def require_still_there(self, position: int, device: UUID | None = None, metric: UUID | None = None) -> None:
        """Of the device and the metric, or of any. Raises ForgottenError when a device was removed that had a history
        then: it has gone with the device."""
        with reading_as_of(None):
            gone = await self._database.fetch(_GONE, {"position": position, "device": device, "metric": metric})
        if gone:
            raise ForgottenError("as_of: the history of a device is gone since the device was removed")

    async def require_known(self, missing: Mapping[int, int], grid: Grid) -> None:
        """`missing` tells of series the last time that should be on the grid and is not there. Raises ForgottenError
        for those that had begun by then."""
        begun = {reading_place(id)[0]: time for id, time in missing.items()}
        if not begun:
            return
        with reading_as_of(None):
            times: Iterable[tuple[int, datetime]] = await self._database.fetch(_TIMES, (list(begun),))
        for position, at in times:
            # The first report writes the 15 seconds before it.
            if begun[position] > int(at.timestamp()) - STEP:
                step, kept = ARCHIVES[grid.archive].step, _KEPT[grid.archive]
                raise ForgottenError(f"as_of: points of {step} seconds are kept for {kept}; those of then are gone")


def last_missing(segments: Iterable[tuple[int, int]], step: int, first: int, last: int) -> int | None:
    """The last of the times from `first` to `last` that lies in none of the segments, each a time and how many."""
    missing, at = None, first
    for begins, count in sorted(one for one in segments if one[1]):
        if at < begins and at <= last:
            missing = min(begins - step, last)
        at = max(at, begins + count * step)
    return last if at <= last else missing


def _end(is_text: bool, reported_at: datetime, expires_at: datetime, now: int) -> int:
    reported = int(reported_at.timestamp())
    if is_text:
        return reported
    until = min(int(expires_at.timestamp()), now)
    return reported + max(0, until - reported) // STEP * STEP


_C = CURRENT_METRICS.c
_LAST = sa.select(_C.device_id, _C.number, _C.reported_at, _C.expires_at).where(
    _C.device_id == sa.any_(sa.bindparam("devices", type_=ARRAY(sa.Uuid)))
)
