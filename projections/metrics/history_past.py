"""The history of metrics as of an earlier moment (docs/adr/0023).

A point that was written stays as it is. So what there was is what there is now, up to the last second that had been
written by then, which follows from the last report by then. What the rings have made room of since is an error, and
never an answer without it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.identifiers import VALUES_PER_EVENT, reading_place
from domain.metrics.grid import ARCHIVES, Grid
from domain.metrics.series import STEP
from projections.as_of import ForgottenError, reading_as_of
from projections.database import Database
from projections.metrics.current_past import OF_METRIC_OF_DEVICES_THEN

_LAST = f"SELECT t.device_id, t.number IS NULL, t.reported_at, t.expires_at FROM {OF_METRIC_OF_DEVICES_THEN}"
_IS_GONE = f"""
    EXISTS (
        SELECT FROM metric_pages e CROSS JOIN LATERAL (
            SELECT numbers FROM metric_pages p
            WHERE p.metric_id = e.metric_id AND p.device_id = e.device_id AND p.first <= %(position)b::bigint
            ORDER BY p.first DESC LIMIT 1
        ) p
        WHERE e.ends AND e.upto > %(position)b::bigint AND e.since < (%(position)b::bigint + 1) * {VALUES_PER_EVENT}
            AND (%(device_id)b::uuid IS NULL OR e.device_id = %(device_id)b::uuid)
            AND (%(metric_id)s::uuid IS NULL OR e.metric_id = %(metric_id)s::uuid)
            AND p.numbers IS NOT NULL
    )
"""
_ENDS = _LAST.encode()
_GONE = f"SELECT {_IS_GONE}".encode()
# One question instead of two.
_END_OR_GONE = f"{_LAST} UNION ALL SELECT NULL, NULL, NULL, NULL WHERE {_IS_GONE}".encode()
_TIMES = b"""
    SELECT notification_id, split_part(convert_from(substring(state FROM 52 FOR 28), 'UTF8'), '"', 1)::timestamptz
    FROM events WHERE notification_id = ANY(%s::bigint[])
"""
# Series whose begin is kept in mind, since an event keeps its time.
REMEMBERED = 10_000
_KEPT = ("an hour", "a day", "90 days")


class HistoryPast:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._times: dict[int, datetime] = {}

    async def end(self, position: int, device: UUID, metric: UUID, now: int) -> int | None:
        """The last second that was written of the metric of the device by `now`; None if there was none. Raises
        ForgottenError when its history went with the device."""
        values = {"position": position, "metric_id": metric, "device_id": device, "devices": [device]}
        with reading_as_of(None):
            rows = await self._database.fetch(_END_OR_GONE, values)
        _require_there(is_gone=any(row[0] is None for row in rows))
        return _ends(rows, now).get(device)

    async def ends(self, position: int, devices: Collection[UUID], metric: UUID, now: int) -> Mapping[UUID, int]:
        """The same of each of the devices that had it, whatever is gone."""
        values = {"position": position, "metric_id": metric, "devices": list(devices)}
        with reading_as_of(None):
            return _ends(await self._database.fetch(_ENDS, values), now)

    async def require_still_there(self, position: int, device: UUID | None = None, metric: UUID | None = None) -> None:
        """Of the device and the metric, or of any. Raises ForgottenError when a device was removed that had a history
        then: it has gone with the device."""
        values = {"position": position, "device_id": device, "metric_id": metric}
        with reading_as_of(None):
            ((is_gone,),) = await self._database.fetch(_GONE, values)
        _require_there(is_gone=is_gone)

    async def require_known(self, missing: Mapping[int, int], grid: Grid) -> None:
        """`missing` tells of series the last time that should be on the grid and is not there. Raises ForgottenError
        for those that had begun by then."""
        begun = {reading_place(id)[0]: time for id, time in missing.items()}
        times = {position: self._times[position] for position in begun.keys() & self._times.keys()}
        if unknown := begun.keys() - times.keys():
            with reading_as_of(None):
                found: Iterable[tuple[int, datetime]] = await self._database.fetch(_TIMES, (list(unknown),))
            times.update(found)
            if len(self._times) > REMEMBERED:
                self._times.clear()
            self._times.update(times)
        for position, time in begun.items():
            # The first report writes the 15 seconds before it.
            if time > int(times[position].timestamp()) - STEP:
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


def _require_there(*, is_gone: bool) -> None:
    if is_gone:
        raise ForgottenError("as_of: the history of a device is gone since the device was removed")


def _ends(rows: Iterable[Sequence[Any]], now: int) -> Mapping[UUID, int]:
    return {device: _end(is_text, reported, expires, now) for device, is_text, reported, expires in rows}


def _end(is_text: bool, reported_at: datetime, expires_at: datetime, now: int) -> int:
    """A text has ended what was fed; when exactly that was written last is not kept, and the second of the text stands
    for it."""
    reported = int(reported_at.timestamp())
    if is_text:
        return reported
    until = min(int(expires_at.timestamp()), now)
    return reported + max(0, until - reported) // STEP * STEP
