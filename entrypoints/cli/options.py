"""Options that several commands share, and how a command finds the installation it is for."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from entrypoints.data_directory import DEFAULT, DataDirectory
from entrypoints.settings import Settings, SettingsError, read_settings

DATA_DIR_HELP = (
    "The data directory of `tidemark up`. Without it: what TIDEMARK_… variables say, else ./data below the current"
    " directory."
)
DataDir = Annotated[Path | None, typer.Option("--data-dir", metavar="DIR", help=DATA_DIR_HELP)]


def fail(message: object, status: int = 1) -> NoReturn:
    """One sentence on standard error, no traceback."""
    typer.echo(str(message), err=True)
    raise typer.Exit(status)


def settings_or_fail(needs: Collection[str], environment: Mapping[str, str] = os.environ) -> Settings:
    try:
        return read_settings(environment, needs)
    except SettingsError as error:
        fail(error, 2)


def urls_of(data_dir: Path | None) -> dict[str, str]:
    """Where the installation's servers are: of the directory, else of the settings, else of ./data."""
    if data_dir is None and os.environ.get("TIDEMARK_DATABASE_URL"):
        settings = settings_or_fail({"database_url"})
        return {"postgres": settings.database_url, "nats": settings.nats_url, "mqtt": settings.mqtt_url}
    directory = DataDirectory(data_dir or DEFAULT)
    urls = directory.urls()
    if urls is None:
        fail(
            f"Nothing runs on {directory.path.absolute()}: start it with `tidemark up --data-dir {directory.path}`, "
            "or set TIDEMARK_DATABASE_URL."
        )
    return dict(urls)


def settings_of(data_dir: Path | None) -> Settings:
    """What holds for the installation: its database and its export, and the rest as the variables say."""
    if data_dir is None and os.environ.get("TIDEMARK_DATABASE_URL"):
        return settings_or_fail({"database_url"})
    installation = {
        "TIDEMARK_MODE": "up",
        "TIDEMARK_DATABASE_URL": database_url_of(data_dir),
        "TIDEMARK_EXPORT_DIR": os.environ.get("TIDEMARK_EXPORT_DIR") or str(DataDirectory(data_dir or DEFAULT).export),
    }
    return settings_or_fail({"database_url"}, {**os.environ, **installation})


def database_url_of(data_dir: Path | None) -> str:
    return urls_of(data_dir)["postgres"]
