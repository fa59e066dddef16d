"""Commands of a few lines."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer

from entrypoints.cli.options import DataDir, database_url_of, fail

ASYNCAPI = Path("docs/asyncapi.yaml")


def migrate(data_dir: DataDir = None) -> None:
    """Bring the database to the schema of this version. Safe at any time, and from several processes at once."""
    from sqlalchemy.exc import OperationalError

    from adapters.eventstore import schema

    try:
        schema.migrate(database_url_of(data_dir))
    except OperationalError:
        fail("The database does not answer; nothing was changed.")


def asyncapi(
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write to FILE instead of standard output.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only compare with docs/asyncapi.yaml, and fail if it is out of date.")
    ] = False,
) -> None:
    """Print the AsyncAPI 3 document of what is published on NATS, made from the event classes."""
    from entrypoints import asyncapi

    if check:
        if not asyncapi.is_current(ASYNCAPI):
            fail(f"{ASYNCAPI} is out of date: run `tidemark asyncapi --output {ASYNCAPI}`.")
    elif output:
        asyncapi.write(output)
    else:
        typer.echo(asyncapi.render(), nl=False)


def settings() -> None:
    """Print every setting as a page of Markdown."""
    from entrypoints.settings import settings_page

    typer.echo(settings_page(), nl=False)


def version() -> None:
    """Print the installed version."""
    typer.echo(_version())


def say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tidemark {_version()}")
        raise typer.Exit


def _version() -> str:
    try:
        return installed_version("tidemark")
    except PackageNotFoundError:
        return "not installed, run from its source"
