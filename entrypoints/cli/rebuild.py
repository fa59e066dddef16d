"""`tidemark rebuild`."""

import asyncio
import sys
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.options import DataDir, database_url_of, fail

if TYPE_CHECKING:
    from projections.readmodel import ReadModel
    from projections.rebuild import Progress

_LINE_SECONDS = 2.0


def rebuild(
    projection: Annotated[str, typer.Argument(metavar="PROJECTION|all", help="The read model's name, or all.")],
    data_dir: DataDir = None,
) -> None:
    """Compute read models anew from the whole log, while the present ones serve; then swap them."""
    from projections.registry import READ_MODELS

    by_name = {model.name: model for model in READ_MODELS}
    if projection != "all" and projection not in by_name:
        fail(f"There is no read model {projection!r}; there are {', '.join(by_name)}, and `all`.")
    models = list(READ_MODELS) if projection == "all" else [by_name[projection]]
    _rebuild(database_url_of(data_dir), models)


def _rebuild(database_url: str, models: "list[type[ReadModel]]") -> None:
    import psycopg

    from adapters.eventstore.mapper import Mapper
    from adapters.eventstore.reader import PostgresLogReader
    from application.ports import LogUnavailableError
    from domain.catalogue import CATALOGUE
    from entrypoints.garbage import collect_rarely
    from projections.rebuild import RebuildRunningError
    from projections.rebuild import rebuild as rebuild_models

    async def run() -> "Progress":
        reader = PostgresLogReader(database_url, Mapper(CATALOGUE))
        try:
            return await rebuild_models(database_url, models, reader, _Line())
        finally:
            await reader.close()

    collect_rarely()
    started = monotonic()
    try:
        done = asyncio.run(run())
    except RebuildRunningError as running:
        fail(f"\n{running}; wait for it, or see GET /projections.")
    except (LogUnavailableError, psycopg.OperationalError):
        fail("\nThe database does not answer; the read models are as they were.")
    except KeyboardInterrupt:
        fail("\nStopped; the read models are as they were.", 130)
    names = ", ".join(model.name for model in models)
    typer.echo(f"{names}: rebuilt from {done.position} events in {monotonic() - started:.1f} s.")


class _Line:
    """The progress: one line that changes on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._told = 0.0

    def __call__(self, progress: "Progress") -> None:
        if not self._terminal and monotonic() - self._told < _LINE_SECONDS:
            return
        self._told = monotonic()
        percent = 100 * progress.position / progress.target if progress.target else 100
        left = f", {progress.seconds_left:.0f} s left" if progress.seconds_left is not None else ""
        text = f"{percent:5.1f} %  {progress.position} of {progress.target} events  {progress.rate:.0f}/s{left}"
        typer.echo(f"\r\x1b[K{text}" if self._terminal else text, err=True, nl=not self._terminal)
        if self._terminal and progress.position >= progress.target:
            typer.echo(err=True)
