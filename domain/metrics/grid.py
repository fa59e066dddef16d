"""Which points of which archive a question about the past is answered with (contract metrics 1.7.1 and 1.7.3)."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from domain.errors import InvalidError
from domain.metrics.series import FIVE_MINUTES, HOUR, STEP

LAST: Final[Mapping[str, int]] = {"hour": HOUR, "day": 86_400, "quarter": 90 * 86_400}

# No answer has more points; some fourteen months in hours.
MOST_POINTS: Final = 10_000


class Archive(NamedTuple):
    """Points of `step` seconds, which are kept for `kept` seconds."""

    step: int
    kept: int


ARCHIVES: Final = (Archive(STEP, LAST["hour"]), Archive(FIVE_MINUTES, LAST["day"]), Archive(HOUR, LAST["quarter"]))


class Grid(NamedTuple):
    """`length` points, one every `step` seconds from `first` on. `archive` is the index of that in ARCHIVES."""

    archive: int
    first: int
    length: int

    @property
    def step(self) -> int:
        return ARCHIVES[self.archive].step

    @property
    def times(self) -> range:
        return range(self.first, self.first + self.length * self.step, self.step)


class DurationUnknownError(InvalidError):
    """There are only three stretches of time that have a name."""

    code = "metrics.duration_unknown"


class RangeReversedError(InvalidError):
    """It ends before it starts."""

    code = "metrics.range_reversed"


def last(duration: str, now: int) -> Grid:
    """The grid of `hour`, `day` or `quarter`. Raises DurationUnknownError, whose message is the contract's."""
    if duration not in LAST:
        raise DurationUnknownError(f"{duration} is not a valid LastDuration, try [{', '.join(LAST)}]")
    return between(now - LAST[duration], now, now)


def between(start: int, end: int, now: int) -> Grid:
    """The grid of a range, by the finest archive that such a range is answered with and that still reaches back to its
    start. Never without a point, and never with more than MOST_POINTS: then those are left out that lie in the future,
    and then the oldest. Raises RangeReversedError."""
    if start > end:
        raise RangeReversedError("The start time must not be after the end time.")
    archive = next(
        (index for index, (_, kept) in enumerate(ARCHIVES) if end - start <= kept and start >= now - kept),
        len(ARCHIVES) - 1,
    )
    step = ARCHIVES[archive].step
    into = start % step
    first, last = start - into + step, (end - into) // step * step + step
    length = (last - first) // step + 1
    if length > MOST_POINTS:
        last = max(min(last, now - now % step + step), first)
        length = (last - first) // step + 1
    if length > MOST_POINTS:
        first, length = last - (MOST_POINTS - 1) * step, MOST_POINTS
    return Grid(archive, first, length)
