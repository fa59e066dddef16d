"""A question to analytics on the command line: how it is asked, and in which form its answer comes."""

import asyncio
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from entrypoints.cli.options import fail, settings_of

if TYPE_CHECKING:
    from adapters.analytics.query import Answered
    from adapters.analytics.wire import Format
    from entrypoints.settings import Settings

Form = Literal["table", "json", "csv", "arrow"]

FormOption = Annotated[
    Form | None,
    typer.Option(
        "--format",
        help="Without it: what the ending of FILE says, else a table on a terminal and CSV elsewhere.",
    ),
]
OutputOption = Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write the answer there.")]
ExportOption = Annotated[
    Path | None,
    typer.Option(
        "--export",
        metavar="DIR",
        help="The directory of an export. Without it the installation's; what no export has is read from the log.",
    ),
]

# What is said of a value has the value in it, however long it is.
_LONGEST = 400

_BY_ENDING: Mapping[str, Form] = {".json": "json", ".csv": "csv", ".arrow": "arrow", ".txt": "table"}


def chosen(form: Form | None, output: Path | None) -> Form:
    """In which form the answer comes."""
    if form is not None:
        if form == "arrow" and output is None and sys.stdout.isatty():
            fail("Arrow cannot be read on a terminal: name a file with --output.", 2)
        return form
    if output is not None:
        return _BY_ENDING.get(output.suffix.lower(), "csv")
    return "table" if sys.stdout.isatty() else "csv"


def answer(
    sql: str, parameters: Mapping[str, Any], form: Form, output: Path | None, data_dir: Path | None, export: Path | None
) -> None:
    """Ask, and show or write the answer. Ends the command where there is none."""
    settings = settings_of(data_dir)
    if export is not None:
        settings = replace(settings, export_dir=str(export))
    answered = _asked(settings, sql, "json" if form == "table" else form, parameters, is_named=export is not None)
    told = f"{answered.rows} row{'' if answered.rows == 1 else 's'}, up to position {answered.position}"
    body = _table(answered, told, output) if form == "table" else answered.body
    if form == "json":
        body += b"\n"
    if output is None:
        with suppress(BrokenPipeError):  # `| head` has seen enough
            typer.echo(body, nl=False)
        return
    try:
        output.write_bytes(body)
    except OSError as fault:
        fail(f"{output} cannot be written: {fault.strerror}.")
    typer.echo(f"{output}: {told}.")


def _asked(
    settings: "Settings", sql: str, format: "Format", parameters: Mapping[str, Any], *, is_named: bool
) -> "Answered":
    from adapters.analytics.manifest import UnreadableManifestError, read_manifest
    from adapters.analytics.query import ExportBehindError, QueryError
    from application.ports import LogUnavailableError
    from entrypoints.analysing import analysing

    directory = settings.export_dir

    async def ask() -> "Answered":
        async with analysing(settings) as queries:
            return await queries.ask(sql, format, parameters)

    try:
        if is_named and read_manifest(Path(directory or "")) is None:
            fail(f"There is no export in {directory}: `tidemark export --output {directory}` makes one.")
        return asyncio.run(ask())
    except QueryError as reason:
        fail(_brief(str(reason)))
    except ExportBehindError:
        if directory is None:
            fail(
                "The log is too long to be read for a question: `tidemark export --output DIR`, and then --export DIR."
            )
        fail(f"The export is too far behind the log: run `tidemark export --output {directory}`.")
    except UnreadableManifestError as reason:
        fail(f"{directory}: {reason}; name another directory with --export.")
    except LogUnavailableError:
        fail("The database does not answer.")
    except OSError as fault:
        fail(f"{fault.filename or directory} cannot be read: {fault.strerror}.")
    except KeyboardInterrupt:
        fail("\nStopped.", 130)


def _brief(complaint: str) -> str:
    """What is wrong and where, of what may be a page of DuckDB's: without the functions that could have been meant, and
    its advice to change settings, which are locked. Nothing in it moves the cursor, tabs neither: DuckDB places its
    caret as if they had no width."""
    what, *more = complaint.split("\n\n")
    said = "\n".join(line for line in what.split("\n") if not line.startswith("\t"))
    cut = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
    where = [told for told in map(str.strip, more) if told.startswith(("LINE ", "Hint: "))]
    return "".join(one for one in "\n".join([cut, *where]) if one.isprintable() or one == "\n")


def _table(answered: "Answered", told: str, output: Path | None) -> bytes:
    import msgspec

    from entrypoints.cli.table import lines

    answer = msgspec.json.decode(answered.body)
    columns = [(column["name"], column["type"]) for column in answer["columns"]]
    width = shutil.get_terminal_size().columns if output is None and sys.stdout.isatty() else None
    return "\n".join([*lines(columns, answer["rows"], width), f"({told})", ""]).encode()
