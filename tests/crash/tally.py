"""What a crash test counts, and how it says so."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic


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


COUNTED = "counted"


class Printer:
    """Notes figures in the test's report, whichever process runs it: whoever runs the crash tests wants to see those of
    the tests that pass, too."""

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self._record = record

    def __call__(self, *tallies: object) -> None:
        for tally in tallies:
            self._record(COUNTED, str(tally))


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._since = monotonic()

    @property
    def seconds(self) -> float:
        return monotonic() - self._since
