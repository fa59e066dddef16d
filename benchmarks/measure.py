"""Measuring on a noisy machine: two things in turn, many times, and the median of what each pair says.

A pair's two halves run seconds apart, so that a busy neighbour slows both; the order changes with every pair.
"""

import statistics
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

PAIRS = 10

Half = Callable[[], Awaitable[float]]


class Spread(NamedTuple):
    """What was measured several times."""

    median: float
    least: float
    most: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values), len(values))


class Pair(NamedTuple):
    """One measurement of each, in the same unit."""

    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs


@dataclass(frozen=True)
class Figure:
    """One line of the table. `at_least` or `at_most` is the target; neither means that it is told for context."""

    what: str
    spread: Spread
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the target; None without one."""
        if self.at_least is not None:
            return self.spread.median >= self.at_least
        return None if self.at_most is None else self.spread.median <= self.at_most


@dataclass(frozen=True)
class Bench:
    """What a benchmark is given: how long it may take, and a line to say where it is."""

    name: str
    quick: bool = False

    @property
    def pairs(self) -> int:
        return 3 if self.quick else PAIRS

    def say(self, text: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\033[K{self.name}: {text}")
        else:
            sys.stderr.write(f"{self.name}: {text}\n")
        sys.stderr.flush()

    def rounds(self) -> Iterator[int]:
        """Counts the pairs, and says so."""
        started = monotonic()
        for index in range(self.pairs):
            self.say(f"pair {index + 1} of {self.pairs}, {monotonic() - started:.0f} s")
            yield index


async def alternate(bench: Bench, ours: Half, theirs: Half) -> list[Pair]:
    """Measures both in turn, each first as often as the other."""
    pairs = []
    for index in bench.rounds():
        if index % 2:
            second, first = await theirs(), await ours()
        else:
            first, second = await ours(), await theirs()
        pairs.append(Pair(first, second))
    return pairs


def compare(what: str, pairs: Sequence[Pair], at_least: float | None, ours: str, theirs: str) -> Figure:
    """The line for a ratio of two rates."""
    ratios = Spread.of([pair.ratio for pair in pairs])
    return Figure(what, ratios, at_least=at_least, note=made_of(pairs, ours, theirs, "/s"))


def made_of(pairs: Sequence[Pair], ours: str, theirs: str, unit: str) -> str:
    """The two medians behind a ratio."""
    first, second = (statistics.median(side) for side in zip(*pairs, strict=True))
    return f"{ours} {first:,.0f}{unit}, {theirs} {second:,.0f}{unit}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of all lie (0.99: all but the slowest hundredth)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class UncountedError(AssertionError):
    """The log does not hold exactly what was counted: the measurement is worth nothing."""


def require_equal(counted: int, stored: int, what: str) -> None:
    if counted != stored:
        raise UncountedError(f"{what}: {counted:,} were counted and {stored:,} are in the log")
