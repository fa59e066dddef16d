"""From reports to points: the arithmetic of a metric's history (contract metrics 1.7.2), on plain data.

A series is one numeric metric of one device. A value that was reported is written then, and again every 15 seconds
for as long as it has not expired and nothing else was reported. A write says what the value was since the write
before: nobody has to tick, because what time alone has written follows from the last report whenever somebody asks
(`fed`). All times are whole seconds since 1970.

Sums are kept as fractions of a power of two, which costs no digit and lets the largest numbers be added up.
"""

from math import copysign, inf, isfinite, nan
from sys import float_info
from typing import Final, NamedTuple, TypeVar

from msgspec.structs import replace

from domain.value import State

STEP: Final = 15
FIVE_MINUTES: Final = 300
HOUR: Final = 3600
# A write speaks for the time since the one before if that is not longer ago.
HEARTBEAT: Final = 120
# A time that no clock reaches; sums with it still fit into 64 bit.
NEVER: Final = 2**62

# Of one long stretch so much is written out in each archive: what may still be asked for, and some more.
WRITTEN_OUT: Final = (2 * HOUR, 2 * 86_400, 92 * 86_400)

_PER_FIVE: Final = FIVE_MINUTES // STEP
_PER_HOUR: Final = HOUR // STEP


class Series(State, kw_only=False):
    """Everything up to `written` is accounted for: in points that are complete, and in the sums of the 15 seconds,
    five minutes and hour that are not. `value` is what is fed on, until `until`; None when nothing is."""

    written: int
    value: float | None = None
    until: int = 0
    seconds: int = 0
    total: float = 0.0
    five_count: int = 0
    five_total: float = 0.0
    five_low: float = inf
    five_high: float = -inf
    hour_count: int = 0
    hour_total: float = 0.0
    hour_low: float = inf
    hour_high: float = -inf


class Summary(NamedTuple):
    """What five minutes or an hour were, by the points of 15 seconds that are known; not a number when fewer than half
    of them are. `known` is how many are."""

    average: float
    low: float
    high: float
    known: int


UNKNOWN: Final = (nan, nan, nan)

P = TypeVar("P", float, Summary)


class Completed(NamedTuple):
    """Points that have become complete, with no gap: the last of each ends with the last whole 15 seconds, five minutes
    or hour that the series has `written`. Of a very long stretch only the end is there (`WRITTEN_OUT`)."""

    points: list[float]
    fives: list[Summary]
    hours: list[Summary]


def begin(at: int) -> Series:
    """A series that is about to be written for the first time: the 15 seconds before belong to it."""
    return Series(at - STEP)


def report(series: Series, at: int, value: float | None, ttl: int) -> tuple[Series, Completed]:
    """A value was reported; None is a text, which has no history but ends the feeding of what was reported before.

    What is reported never lies before what was written: the clocks of two processes differ. In the second of the last
    write it changes only what is fed on."""
    at = max(at, series.written)
    completed = Completed([], [], [])
    last = _last_feeding(series, at - 1)
    if last > series.written:
        series = _covered(series, last, series.value, series.value, series.until, completed)
    if value is None:
        return replace(series, value=None, until=0), completed
    until = min(at + ttl, NEVER)
    if at == series.written:
        return replace(series, value=value, until=until), completed
    said = value if at - series.written <= HEARTBEAT else None
    return _covered(series, at, said, value, until, completed), completed


def fed(series: Series, now: int) -> tuple[Series, Completed]:
    """The series with what time alone has written by `now`."""
    completed = Completed([], [], [])
    last = _last_feeding(series, now)
    if last > series.written:
        series = _covered(series, last, series.value, series.value, series.until, completed)
    return series, completed


def rounded(value: float) -> float:
    """The value with the eleven significant digits that are kept of it."""
    kept = float(f"{value:.10e}")
    return copysign(float_info.max, value) if not isfinite(kept) and value == value else kept


def _last_feeding(series: Series, now: int) -> int:
    """When the value was fed for the last time by `now`; not after `written` when it was not."""
    if series.value is None:
        return series.written
    until = series.until if series.until < now else now
    return series.written + (until - series.written) // STEP * STEP


def _covered(
    series: Series, to: int, value: float | None, feeding: float | None, until: int, completed: Completed
) -> Series:
    """The time since the last write had this value (None: nobody knows), and from now on another one is fed on."""
    written, seconds, total = series.written, series.seconds, series.total
    count, sum, low, high = series.five_count, series.five_total, series.five_low, series.five_high
    hour = (series.hour_count, series.hour_total, series.hour_low, series.hour_high)
    while (end := written - written % STEP + STEP) <= to:
        # A value that holds for all of it is the point itself, to the last digit.
        point = nan
        if value is not None and end - written == STEP:
            point = value
        else:
            if value is not None:
                seconds += end - written
                total += value / 16 * (end - written)
            if seconds * 2 >= STEP:
                point = _mean(total, seconds, 16)
        written, seconds, total = end, 0, 0.0
        completed.points.append(point)
        if point == point:
            count += 1
            sum += point / 32
            low = low if low < point else point
            high = high if high > point else point
        if end % FIVE_MINUTES:
            continue
        completed.fives.append(_summary(count, sum, 32, low, high))
        hour = _added(hour, count, sum, low, high)
        count, sum, low, high = 0, 0.0, inf, -inf
        if end % HOUR:
            continue
        completed.hours.append(_summary(hour[0], hour[1], 256, hour[2], hour[3]))
        hour = (0, 0.0, inf, -inf)
        if to - written >= HOUR:
            written = _whole_hours(written, to, value, completed)
    if value is not None:
        seconds += to - written
        total += value / 16 * (to - written)
    return Series(to, feeding, until, seconds, total, count, sum, low, high, *hour)


def _added(
    hour: tuple[int, float, float, float], count: int, sum: float, low: float, high: float
) -> tuple[int, float, float, float]:
    # The sums of five minutes are thirty-seconds, those of an hour parts of 256.
    return hour[0] + count, hour[1] + sum / 8, min(hour[2], low), max(hour[3], high)


def _summary(count: int, total: float, parts: int, low: float, high: float) -> Summary:
    """`parts` is the fraction that the total is kept in; the next power of two above the number of points."""
    if count * 2 < (_PER_FIVE if parts == 32 else _PER_HOUR):
        return Summary(*UNKNOWN, count)
    return Summary(_mean(total, count, parts), low, high, count)


def _mean(total: float, count: int, parts: int) -> float:
    mean = total / count * parts
    return mean if isfinite(mean) else copysign(float_info.max, mean)


def _whole_hours(start: int, to: int, value: float | None, completed: Completed) -> int:
    """The whole hours from `start` (an hour) on have this value. Returns where they end; takes no longer for years
    than for the time for which they are kept."""
    end = start + (to - start) // HOUR * HOUR
    point = nan if value is None else value
    of_five, of_hour = (0, 0) if value is None else (_PER_FIVE, _PER_HOUR)
    _write_out(completed.points, point, end - start, STEP, WRITTEN_OUT[0])
    _write_out(completed.fives, Summary(point, point, point, of_five), end - start, FIVE_MINUTES, WRITTEN_OUT[1])
    _write_out(completed.hours, Summary(point, point, point, of_hour), end - start, HOUR, WRITTEN_OUT[2])
    return end


def _write_out(completed: list[P], one: P, seconds: int, step: int, most: int) -> None:
    if seconds > most:
        completed.clear()
    completed.extend([one] * (min(seconds, most) // step))
