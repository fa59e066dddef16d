"""`tidemark replay`."""

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from entrypoints.cli.options import DataDir, database_url_of, fail

if TYPE_CHECKING:
    from adapters.analytics.replay import Replayed, Selection

_LINE_SECONDS = 2.0


def replay(
    rule: Annotated[
        Path,
        typer.Option(
            "--rule", metavar="FILE", help="A program with `evolve(state, event)` (.py), or thresholds (.json)."
        ),
    ],
    data_dir: DataDir = None,
    context: Annotated[str | None, typer.Option(metavar="NAME", help="Only events of this context.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="The beginning, such as 2026-01-14T12:00:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="The end, which is not in it.")] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(metavar="PREFIX", help="What did happen: topics that begin so; may be given several times."),
    ] = None,
) -> None:
    """Run history through a rule and tell what would have happened, beside what did, as JSON.

    The rule runs in a process without files, network and other programs, and nothing is recorded.
    """
    from adapters.analytics.replay import ReplayError, Selection
    from application.ports import LogUnavailableError

    kind: Literal["python", "thresholds"] = "thresholds" if rule.suffix == ".json" else "python"
    try:
        source = rule.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        fail(f"{rule} cannot be read.", 2)
    selection = Selection(context=context, since=_time(since), until=_time(until))
    if beside:
        selection = Selection(context, selection.since, selection.until, tuple(beside))
    try:
        replayed = asyncio.run(_replay(database_url_of(data_dir), kind, source, selection))
    except ReplayError as reason:
        fail(reason)
    except LogUnavailableError:
        fail("The database does not answer.")
    except KeyboardInterrupt:
        fail("\nStopped; nothing was recorded.", 130)
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(replayed), indent=2))


async def _replay(url: str, kind: Literal["python", "thresholds"], source: str, selection: "Selection") -> "Replayed":
    from adapters.analytics.replay import Replay, ReplayError, ReplayLimits
    from adapters.eventstore.mapper import Mapper
    from domain.catalogue import CATALOGUE

    line = _Line()
    try:
        return await Replay(url, Mapper(CATALOGUE), selection, ReplayLimits()).run(kind, source, line)
    except ReplayError:
        line.end()
        raise


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is no time such as 2026-01-14T12:00:00Z.", 2)
    if time.tzinfo is None:
        fail(f"{text!r} needs an offset from UTC, such as Z.", 2)
    return time


class _Line:
    """The progress: one line that changes on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._told = monotonic()
        self._is_open = False

    def __call__(self, position: int, last: int, rate: float) -> None:
        if not self._terminal and monotonic() - self._told < _LINE_SECONDS:
            return
        self._told = monotonic()
        text = f"{100 * position / last:5.1f} %  position {position} of {last}  {rate:.0f}/s"
        self._is_open = self._terminal and position < last
        typer.echo(f"\r\x1b[K{text}" if self._terminal else text, err=True, nl=not self._is_open)

    def end(self) -> None:
        """What is said next has a line of its own."""
        if self._is_open:
            typer.echo(err=True)
