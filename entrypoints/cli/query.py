"""`tidemark query`."""

import sys
from typing import Annotated

import typer

from entrypoints.cli.asking import ExportOption, FormOption, OutputOption, answer, chosen
from entrypoints.cli.options import DataDir, fail


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT of DuckDB; `-` reads it from standard input.")],
    data_dir: DataDir = None,
    form: FormOption = None,
    output: OutputOption = None,
    export: ExportOption = None,
) -> None:
    """Ask the log in SQL, as POST /analytics/query does, up to this second. The tables are `events`, `readings`,
    `metrics`, `presence`, `commands` and `messages`.

    It is answered in a process that can do nothing else, within the limits of TIDEMARK_ANALYTICS_…. Ctrl-C ends it.
    """
    form = chosen(form, output)
    answer(_read() if sql == "-" else sql, {}, form, output, data_dir, export)


def _read() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        fail("Standard input is no text in UTF-8.", 2)
    except KeyboardInterrupt:
        fail("\nStopped.", 130)
