"""What a crash test counts, and how it says so."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic

import pytest


@dataclass
class Tally:
    """`acknowledged` are things we were promised, `stored` is everything that was found, once for each time."""

    what: str
    acknowledged: set[object] = field(default_factory=set)
    stored: Counter[object] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    unidentified: set[object] = field(default_factory=set)
    """Things that cannot be told from others like them; those that were stored twice are counted apart."""

    def store(self, things: Iterable[object]) -> None:
        self.stored.update(things)

    @property
    def lost(self) -> set[object]:
        return self.acknowledged - self.stored.keys()

    @property
    def duplicate(self) -> set[object]:
        return {thing for thing, times in self.stored.items() if times > 1} - self.unidentified

    @property
    def repeated(self) -> set[object]:
        """Unidentified things that were stored more than once."""
        return {thing for thing, times in self.stored.items() if times > 1} & self.unidentified

    def __str__(self) -> str:
        recoveries = ", ".join(f"{seconds:.1f}" for seconds in self.recoveries) or "-"
        apart = f" (and {len(self.repeated)} of {len(self.unidentified):,} without a time)" if self.unidentified else ""
        return (
            f"{self.what}: acknowledged {len(self.acknowledged):,}, stored {self.stored.total():,}, "
            f"lost {len(self.lost)}, duplicate {len(self.duplicate)}{apart}, seconds to recover {recoveries}"
        )


class Printer:
    """Prints past pytest's capturing: whoever runs the crash tests wants to see the figures of those that pass."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *tallies: object) -> None:
        with self._capsys.disabled():
            print()
            for tally in tallies:
                print(f"  {tally}", flush=True)


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._since = monotonic()

    @property
    def seconds(self) -> float:
        return monotonic() - self._since
