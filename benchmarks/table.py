"""The table: on the terminal while it grows, and in docs/benchmarks.md with the machine it was measured on."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from adapters.embedded.cluster import postgres_binaries
from adapters.embedded.nats import nats_binary
from benchmarks.measure import Figure

_HEADINGS = ("what", "median", "min – max", "target", "", "made of")


def cells(figure: Figure) -> tuple[str, ...]:
    """One line of the table."""
    median, least, most, _ = figure.spread
    target = ""
    if figure.at_least is not None:
        target = f"≥ {_number(figure.at_least)}{figure.unit}"
    elif figure.at_most is not None:
        target = f"≤ {_number(figure.at_most)}{figure.unit}"
    verdict = {True: "✓", False: "✗", None: ""}[figure.met]
    middle = f"{_number(median)}{figure.unit}"
    return figure.what, middle, f"{_number(least)} – {_number(most)}", target, verdict, figure.note


def text_table(figures: Sequence[Figure]) -> str:
    rows = [_HEADINGS, *map(cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def markdown_table(figures: Sequence[Figure]) -> str:
    lines = [_HEADINGS, ("---", "---:", "---:", "---:", "---", "---"), *map(cells, figures)]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def page(figures: Sequence[Figure], explanations: dict[str, str], minutes: float, failed: Sequence[str] = ()) -> str:
    """docs/benchmarks.md. `explanations` is what each benchmark says of itself."""
    missing = f"\n**Failed, and so not in the table: {', '.join(failed)}.**\n" if failed else ""
    runs = sorted({figure.spread.runs for figure in figures})
    sections = "\n\n".join(f"### `{name}`\n\n{text}" for name, text in explanations.items())
    return f"""# How fast

Measured by `make bench` on {datetime.now(UTC):%d %B %Y}, in {minutes:.0f} minutes, the load generators on the same
machine. This page is written by that command; edit `benchmarks/`, not this.

{markdown_table(figures)}
{missing}
Machines like this one are noisy: the same server doing nothing gave 7,900 to 14,300 requests a second within an hour.
So every ratio compares two things that take turns within one run, and the line shows the median of
{" or ".join(map(str, runs))} such pairs with the least and the greatest of them. A ratio carries over to other
machines; the figures it is made of do not.

## The machine

{machine()}

## What is measured

{sections}

## Doing it again

```
make bench                                # everything, and this page
make bench ARGS="--quick --no-write"      # three pairs each instead of ten: a first impression
make bench ARGS="--only append --only rebuild --no-write"
```

It starts servers of its own (fsync on) in temporary directories, on free ports, and leaves nothing behind. Every write
that was counted is looked up in the log; a figure whose count does not come out right is not shown, the run fails.
"""


def machine() -> str:
    """What the figures were measured on, as a list; nothing that says whose machine it is."""
    facts = {
        "processor": f"{_of_file('/proc/cpuinfo', 'model name')}, {_cores()} cores",
        "memory": f"{int(_of_file('/proc/meminfo', 'MemTotal').split()[0]) / 1024**2:.0f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_version()}, uvicorn {version('uvicorn')}, psycopg {version('psycopg')}, "
        f"eventsourcing {version('eventsourcing')}",
        "PostgreSQL": _program(postgres_binaries() / "postgres", "--version").removeprefix("postgres (PostgreSQL) "),
        "NATS": _program(nats_binary(), "--version").removeprefix("nats-server: "),
    }
    return "\n".join(f"* {what}: {fact}" for what, fact in facts.items())


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0") if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _of_file(path: str, key: str) -> str:
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "unknown 0"


def _program(path: Path, argument: str) -> str:
    return subprocess.run([path, argument], capture_output=True, text=True, check=True).stdout.strip()
