"""A series as bytes: what is known of it and its newest points in its row, the others in blocks of its archives.

The bytes are those of C, little-endian and without gaps. A point that nobody knows is "not a number".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from struct import Struct, iter_unpack, pack, unpack_from
from typing import Final, NamedTuple

from domain.metrics.grid import ARCHIVES
from domain.metrics.series import FIVE_MINUTES, HOUR, STEP, Completed, P, Series, Summary, rounded

# Points in a block, and blocks of each archive: one more than it takes to hold what is kept, since one is being filled.
BLOCK: Final = 240
SLOTS: Final = tuple(-(-archive.kept // archive.step // BLOCK) + 1 for archive in ARCHIVES)

# So many points of 15 seconds lie between two moves to the archives; those of five minutes wait until it is worth it.
MOVING: Final = 20
_ENOUGH_FIVES: Final = 4

_STATE = Struct("<qdqBdBdddBdddBBB")
_SUMMARY = Struct("<dddB")
_SPREAD: Final = "<ddB"
_NOTHING_FED: Final = float("nan")


class Block(NamedTuple):
    """A part of a block: points with no gap from `first` on. Of five minutes and hours also the spread: smallest,
    largest and how many are known of each."""

    first: int
    averages: bytes
    spreads: bytes


BlockKey = tuple[int, int, int]
"""The series, the archive and the slot in the archive's ring."""


@dataclass(slots=True)
class Line:
    """A series and its newest points, with the digits that are kept of them."""

    id: int
    series: Series
    points: list[float] = field(default_factory=list)
    fives: list[Summary] = field(default_factory=list)
    hours: list[Summary] = field(default_factory=list)

    def take(self, series: Series, completed: Completed) -> bool:
        """The series has become this. Tells whether the newest points are to be moved to the archives now, which
        follows from nothing but the series and its id."""
        before, written = self.series.written, series.written
        self.series = series
        points, fives, hours = completed
        if not points:
            return False
        number, last = before // STEP, written // STEP
        _follow(self.points, _all_rounded(points), last - number)
        if fives:
            _follow(self.fives, _all_rounded(fives), written // FIVE_MINUTES - before // FIVE_MINUTES)
        if hours:
            _follow(self.hours, _all_rounded(hours), written // HOUR - before // HOUR)
        return (last + self.id) // MOVING != (number + self.id) // MOVING

    def move(self, blocks: dict[BlockKey, Block]) -> None:
        """Moves the newest points into blocks."""
        last = self.series.written // STEP * STEP
        _put(blocks, self.id, 0, last, pack(f"<{len(self.points)}d", *self.points), b"")
        self.points = []
        if len(self.fives) >= _ENOUGH_FIVES:
            _put_summaries(blocks, self.id, 1, self.series.written // FIVE_MINUTES * FIVE_MINUTES, self.fives)
            self.fives = []
        if self.hours:
            _put_summaries(blocks, self.id, 2, self.series.written // HOUR * HOUR, self.hours)
            self.hours = []

    def newest(self) -> Iterator[tuple[int, Sequence[float | Summary]]]:
        """The newest points of each archive, with the time of the first."""
        lists: tuple[Sequence[float | Summary], ...] = (self.points, self.fives, self.hours)
        for archive, points in zip(ARCHIVES, lists, strict=True):
            yield self.series.written // archive.step * archive.step - (len(points) - 1) * archive.step, points


def packed(line: Line) -> bytes:
    s, points, fives, hours = line.series, line.points, line.fives, line.hours
    state = _STATE.pack(
        s.written,
        _NOTHING_FED if s.value is None else s.value,
        s.until,
        s.seconds,
        s.total,
        s.five_count,
        s.five_total,
        s.five_low,
        s.five_high,
        s.hour_count,
        s.hour_total,
        s.hour_low,
        s.hour_high,
        len(points),
        len(fives),
        len(hours),
    )
    newest = pack(f"<{len(points)}d", *points)
    if not fives and not hours:
        return state + newest
    return b"".join((state, newest, *(_SUMMARY.pack(*one) for one in chain(fives, hours))))


def unpacked(id: int, state: bytes) -> Line:
    written, value, *rest, points, fives, hours = _STATE.unpack_from(state)
    series = Series(written, None if value != value else value, *rest)
    newest = unpack_from(f"<{points}d", state, _STATE.size)
    summaries = [Summary._make(one) for one in _SUMMARY.iter_unpack(state[_STATE.size + 8 * points :])]
    return Line(id, series, list(newest), summaries[:fives], summaries[fives : fives + hours])


def averages(block: bytes) -> Sequence[float]:
    return unpack_from(f"<{len(block) // 8}d", block)


def spreads(block: bytes) -> Iterator[tuple[float, float, int]]:
    """Smallest, largest and number of known points of each."""
    return iter_unpack(_SPREAD, block)


def _follow(newest: list[P], more: list[P], passed: int) -> None:
    if len(more) < passed:  # after a long stretch, of which only the end was written out
        newest.clear()
    newest += more


def _all_rounded(points: Sequence[P]) -> list[P]:
    """Of a long stretch all are the same one, which is rounded once."""
    if len(points) == 1:
        return [_rounded(points[0])]
    kept: list[P] = []
    before: P | None = None
    for point in points:
        if point is not before:
            before, rounded_one = point, _rounded(point)
        kept.append(rounded_one)
    return kept


def _rounded(one: P) -> P:
    if isinstance(one, Summary):
        return Summary(rounded(one.average), rounded(one.low), rounded(one.high), one.known)
    return rounded(one)


def _put_summaries(
    blocks: dict[BlockKey, Block], id: int, archive: int, last: int, summaries: Sequence[Summary]
) -> None:
    average, low, high, known = zip(*summaries, strict=True)
    spread = b"".join(pack(_SPREAD, *one) for one in zip(low, high, known, strict=True))
    _put(blocks, id, archive, last, pack(f"<{len(average)}d", *average), spread)


def _put(blocks: dict[BlockKey, Block], id: int, archive: int, last: int, averages: bytes, spreads: bytes) -> None:
    """Cuts points that end at `last` into parts of blocks. What follows what is there already is added to it, else
    it takes its place, as the table does."""
    step = ARCHIVES[archive].step
    end = last // step + 1
    number = end - len(averages) // 8
    width = len(spreads) // (end - number)
    while number < end:
        block, offset = divmod(number, BLOCK)
        some = min(end - number, BLOCK - offset)
        part = Block(number * step, averages[: 8 * some], spreads[: width * some])
        averages, spreads, number = averages[8 * some :], spreads[width * some :], number + some
        key = (id, archive, block % SLOTS[archive])
        there = blocks.get(key)
        if there is not None and there.first + len(there.averages) // 8 * step == part.first:
            part = Block(there.first, there.averages + part.averages, there.spreads + part.spreads)
        blocks[key] = part
