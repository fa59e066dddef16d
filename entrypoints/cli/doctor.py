"""`tidemark doctor`."""

import asyncio
import logging
import os
from typing import TYPE_CHECKING

import typer

from entrypoints.cli.options import DataDir, settings_or_fail
from entrypoints.data_directory import DEFAULT, DataDirectory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from entrypoints.doctor.finding import Finding


def doctor(data_dir: DataDir = None) -> None:
    """Check this machine and the servers, and say what to do. The exit status is 0 when all is well, else 1."""
    from entrypoints.doctor.finding import note
    from entrypoints.doctor.machine import examine_machine

    logging.disable(logging.CRITICAL)  # what libraries say of a failed attempt, the findings say better
    directory = DataDirectory(data_dir or DEFAULT)
    urls: Mapping[str, str] | None
    if data_dir is None and os.environ.get("TIDEMARK_DATABASE_URL"):
        settings = settings_or_fail({"database_url"})
        urls = {"postgres": settings.database_url, "nats": settings.nats_url, "mqtt": settings.mqtt_url}
    else:
        urls = directory.urls()
    well = _show(examine_machine(directory.path, urls))
    if urls is None:
        well &= _show([note("Servers", f"nothing runs on {directory.path.absolute()}")])
    else:
        well &= asyncio.run(_show_servers(urls))
    typer.echo("\nAll is well." if well else "\nSomething is to be done, see ✗.")
    raise typer.Exit(0 if well else 1)


async def _show_servers(urls: "Mapping[str, str]") -> bool:
    from entrypoints.doctor.servers import examine_servers

    well = True
    async for finding in examine_servers(urls):
        well &= _show([finding])
    return well


def _show(findings: "Iterable[Finding]") -> bool:
    """Whether none of them is bad."""
    from entrypoints.doctor.finding import Verdict

    well = True
    for finding in findings:
        typer.echo(f"{finding.verdict.value} {finding.what:<24} {finding.detail}")
        if finding.verdict is Verdict.BAD:
            typer.echo(f"  {'':<24} → {finding.advice}")
            well = False
    return well
