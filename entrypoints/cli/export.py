"""`tidemark export`."""

import asyncio
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from entrypoints.cli.options import DataDir, database_url_of, fail

if TYPE_CHECKING:
    from adapters.analytics.export import ExportProgress
    from adapters.analytics.manifest import Manifest

_LINE_SECONDS = 2.0


def export(
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The directory of the export; it is made if need be.")
    ],
    data_dir: DataDir = None,
) -> None:
    """Write the log and the telemetry as Parquet, from where the last export into DIR ended. Private fields stay in
    the log. It may be interrupted at any time: the next one goes on where this one was."""
    from adapters.analytics.export import AnotherLogError
    from adapters.analytics.manifest import UnreadableManifestError
    from adapters.embedded.errors import DirectoryInUseError
    from application.ports import LogUnavailableError
    from entrypoints.garbage import collect_rarely

    url = database_url_of(data_dir)
    collect_rarely()
    started = monotonic()
    try:
        manifest = asyncio.run(_export(url, output))
    except DirectoryInUseError:
        fail(f"Another export into {output} is running.")
    except (AnotherLogError, UnreadableManifestError) as reason:
        fail(f"{reason}: name another directory, or remove this one.")
    except LogUnavailableError:
        fail("\nThe database does not answer; what was exported counts.")
    except OSError as fault:
        fail(f"\n{output} cannot be written: {fault.strerror}; what was exported counts.")
    except KeyboardInterrupt:
        fail("\nStopped; what was exported counts, and the next export goes on there.", 130)
    size = sum(file.bytes for file in manifest.files)
    typer.echo(
        f"{output}: everything up to position {manifest.position}, {len(manifest.files)} files,"
        f" {size / 1024**2:.1f} MB, in {monotonic() - started:.1f} s."
    )


async def _export(url: str, output: Path) -> "Manifest":
    from adapters.analytics.export import Exporter
    from adapters.eventstore.mapper import Mapper
    from domain.catalogue import CATALOGUE

    return await Exporter(url, Mapper(CATALOGUE), output).run(_Line())


class _Line:
    """The progress: one line that changes on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._told = monotonic()

    def __call__(self, progress: "ExportProgress") -> None:
        is_last = progress.position >= progress.target
        if not self._terminal and monotonic() - self._told < _LINE_SECONDS:
            return
        self._told = monotonic()
        percent = 100 * progress.position / progress.target
        text = f"{percent:5.1f} %  {progress.position} of {progress.target} events  {progress.rate:.0f}/s"
        typer.echo(f"\r\x1b[K{text}" if self._terminal else text, err=True, nl=not self._terminal or is_last)
