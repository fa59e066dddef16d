"""The history of one metric as the contract tells it (metrics 1.7.2): write by write and second by second, in exact
fractions, with no thought of time or space. What is built is compared with this."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

Known = Fraction | None


class Told(NamedTuple):
    """A report: when, what (None for a text) and for how long."""

    at: int
    value: float | None
    ttl: int


class Point(NamedTuple):
    average: Known
    low: Known
    high: Known
    known: int


def writes(reports: Sequence[Told], now: int) -> list[tuple[int, Fraction]]:
    """Every write up to `now`: each report, and every 15 seconds what has not expired and was not replaced."""
    written: list[tuple[int, Fraction]] = []
    for index, (at, value, ttl) in enumerate(reports):
        replaced = reports[index + 1].at if index + 1 < len(reports) else now + 1
        if value is None:
            continue
        fed = [at, *(time for time in range(at + 15, replaced, 15) if time <= at + ttl)]
        for time in fed:
            if time <= now and (not written or time > written[-1][0]):
                written.append((time, Fraction(value)))
    return written


def seconds(written: Sequence[tuple[int, Fraction]]) -> dict[int, Fraction]:
    """What each second was, by its end."""
    known: dict[int, Fraction] = {}
    before = None
    for time, value in written:
        since = time - 15 if before is None else before
        if time - since <= 120:
            known |= dict.fromkeys(range(since + 1, time + 1), value)
        before = time
    return known


def points(reports: Sequence[Told], now: int, step: int, first: int, last: int) -> list[Point]:
    """The points at `first`, and every `step` seconds to `last`."""
    written = writes(reports, now)
    known = seconds(written)
    end = written[-1][0] if written else 0
    fine = {}
    for time in range((first - step) // 15 * 15, last + 15, 15):
        values = [known[second] for second in range(time - 14, time + 1) if second in known]
        if len(values) * 2 >= 15 and time <= end:
            fine[time] = sum(values, Fraction(0)) / len(values)
    found = []
    for time in range(first, last + 1, step):
        inside = [fine[at] for at in range(time - step + 15, time + 1, 15) if at in fine]
        if time > end:
            found.append(Point(None, None, None, 0))
        elif len(inside) * 2 < step // 15:
            found.append(Point(None, None, None, len(inside)))
        else:
            found.append(Point(sum(inside, Fraction(0)) / len(inside), min(inside), max(inside), len(inside)))
    return found
