"""The export that the worker keeps up, in a process of its own that yields to all others."""

import asyncio
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

from adapters.analytics.manifest import UnreadableManifestError, read_manifest
from adapters.eventstore.lease import Lease, LeaseLostError
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from application.ports import LogUnavailableError
from domain.catalogue import CATALOGUE
from entrypoints.settings import Settings

logger = logging.getLogger("tidemark.export")

# So many events are not left to be read from the log by every question.
MANY_EVENTS = 50_000
LOOK_SECONDS = 5.0
YIELDING = 10


async def export_again_and_again(settings: Settings) -> None:
    """In one worker of several, as often as it is set, and whenever many events came. Never returns."""
    if settings.export_dir is None:
        await asyncio.Event().wait()
        return
    lease = Lease(settings.database_url, "export")
    while True:
        with suppress(LeaseLostError):
            async with lease.held(), PostgresLogReader(settings.database_url, Mapper(CATALOGUE)) as reader:
                await _keep_up(settings, Path(settings.export_dir), reader)


async def _keep_up(settings: Settings, directory: Path, reader: PostgresLogReader) -> None:
    exported_at = monotonic()
    while True:
        is_due = monotonic() - exported_at >= settings.export_every
        try:
            manifest = await asyncio.to_thread(read_manifest, directory)
            behind = await reader.head() - (manifest.position if manifest else 0)
            if behind >= MANY_EVENTS or (is_due and behind):
                exported_at = monotonic()
                await _export(settings, directory)
        except LogUnavailableError:
            pass  # others say so already
        except (OSError, UnreadableManifestError) as reason:
            logger.warning("the log cannot be exported (%s)", reason)
            await asyncio.sleep(settings.export_every)
        await asyncio.sleep(LOOK_SECONDS)


async def _export(settings: Settings, directory: Path) -> None:
    environment = {**os.environ, "TIDEMARK_DATABASE_URL": settings.database_url}
    command = ("-P", "-m", "entrypoints.cli", "export", "--output", str(directory))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        env=environment,
        stderr=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, YIELDING)
        _, told = await process.communicate()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()  # what it has not finished does not count
            await process.wait()
    if process.returncode:
        logger.warning("the log was not exported: %s", told.decode(errors="replace").strip().rpartition("\n")[2])
