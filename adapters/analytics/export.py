"""Writes the log as Parquet: from where the last run ended to where the log ends now.

A run writes files, and then the manifest that names them. What it does not name does not count, so that a run may be
killed anywhere: the next one removes what is left over and goes on from the manifest's position.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from adapters.analytics.log_pages import LogPages, StoredRow
from adapters.analytics.manifest import ExportedFile, Manifest, read_manifest, write_manifest
from adapters.analytics.tables import Collected, Part
from adapters.embedded.directory import DirectoryLock, private_directory, sync_directory
from adapters.eventstore.mapper import Mapper

# One read, whose events fit into the caches of a processor, and what is written at a time: some hundred megabytes.
READ = 5_000
EVENTS_AT_ONCE = 250_000
BYTES_AT_ONCE = 128 * 1024 * 1024

# Many small files are slow to read. From so many on, those of one folder become one, unless they are large already.
MANY = 12
SMALL = 16 * 1024 * 1024
LARGE = 8 * SMALL

_SUFFIX = ".parquet"
_UNDER_WAY = ".under-way"

log = logging.getLogger("tidemark.export")


class AnotherLogError(Exception):
    """The directory holds the export of another log, or of one that was set back."""


class ExportProgress(NamedTuple):
    """`rate` is in events a second."""

    position: int
    target: int
    rate: float


Tell = Callable[[ExportProgress], None]


class Exporter:
    """Exports into `directory`. Several may be asked to; one at a time does (DirectoryInUseError)."""

    def __init__(self, url: str, mapper: Mapper, directory: Path, *, events_at_once: int = EVENTS_AT_ONCE) -> None:
        self._url = url
        self._mapper = mapper
        self._directory = directory
        self._events_at_once = events_at_once

    async def run(self, tell: Tell = lambda progress: None) -> Manifest:
        """Everything up to where the log ends when it begins. Raises LogUnavailableError, DirectoryInUseError,
        AnotherLogError, UnreadableManifestError and OSError; what was written until then counts."""
        with _alone_in(self._directory) as directory, LogPages(self._url) as pages:
            identity = await asyncio.to_thread(pages.identity)
            manifest = read_manifest(directory) or Manifest(log=identity)
            if manifest.log != identity:
                raise AnotherLogError(f"{directory} holds the export of another log")
            manifest = await asyncio.to_thread(as_far_as_it_is_there, directory, manifest)
            await asyncio.to_thread(remove_left_over, directory, manifest)
            return await self._advance(pages, directory, manifest, tell)

    async def _advance(self, pages: LogPages, directory: Path, manifest: Manifest, tell: Tell) -> Manifest:
        target, begun, started = await asyncio.to_thread(pages.head), manifest.position, monotonic()
        if target < begun:
            raise AnotherLogError(f"{directory} holds more than the log has, which was set back since")
        collected = Collected(self._mapper)
        reading = _reading(pages, manifest.position, target)
        writing = asyncio.create_task(_unchanged(manifest))
        try:
            while rows := await reading:
                # The next rows come, and the last ones are written, while these are taken apart.
                last = int(rows[-1][0])
                reading = _reading(pages, last, target)
                await asyncio.to_thread(collected.add, rows)
                if collected.events >= self._events_at_once or collected.bytes >= BYTES_AT_ONCE:
                    manifest = await writing
                    writing = asyncio.create_task(asyncio.to_thread(write, directory, manifest, collected))
                    collected = Collected(self._mapper)
                rate = (last - begun) / max(monotonic() - started, 1e-6)
                tell(ExportProgress(last, target, rate))
            manifest = await writing
            if collected.events:
                manifest = await asyncio.to_thread(write, directory, manifest, collected)
        finally:
            # A thread is not stopped by anything: the connection is closed, and the directory left to others, when it
            # has ended.
            await asyncio.wait([reading, writing])
        return await asyncio.to_thread(merge_small_files, directory, manifest)


def _reading(pages: LogPages, after: int, target: int) -> "asyncio.Task[Sequence[StoredRow]]":
    return asyncio.create_task(asyncio.to_thread(pages.rows, after, min(READ, target - after)))


async def _unchanged(manifest: Manifest) -> Manifest:
    return manifest


@contextmanager
def _alone_in(directory: Path) -> Iterator[Path]:
    directory = private_directory(directory)
    lock = DirectoryLock(directory)
    lock.acquire()
    try:
        yield directory
    finally:
        lock.release()


def write(directory: Path, manifest: Manifest, collected: Collected) -> Manifest:
    """Files of what was collected, and the manifest with them."""
    first, last = manifest.position + 1, collected.last
    files = [_write_part(directory, part, table, first, last) for part, table in collected.tables()]
    advanced = replace(manifest, position=last, files=(*manifest.files, *files))
    write_manifest(directory, advanced)
    return advanced


def as_far_as_it_is_there(directory: Path, manifest: Manifest) -> Manifest:
    """Somebody may have removed files. From the first event that is gone with one, the log is exported again."""
    gone = [file for file in manifest.files if not (directory / file.path).exists()]
    if not gone:
        return manifest
    position = min(file.first for file in gone) - 1
    # A file that goes beyond it, since it was merged, is made again as well.
    while beyond := [file.first for file in manifest.files if file.first <= position < file.last]:
        position = min(beyond) - 1
    log.warning("%s is gone: exporting again from position %d", directory / gone[0].path, position + 1)
    shorter = replace(manifest, position=position, files=tuple(one for one in manifest.files if one.last <= position))
    write_manifest(directory, shorter)
    return shorter


def remove_left_over(directory: Path, manifest: Manifest) -> None:
    """What the manifest does not name was written by a run that did not come to its end."""
    named = {file.path for file in manifest.files}
    for pattern in (f"*/*/*{_SUFFIX}", f"*/*/*{_UNDER_WAY}"):
        for found in directory.glob(pattern):
            if str(found.relative_to(directory)) not in named:
                found.unlink()


def merge_small_files(directory: Path, manifest: Manifest) -> Manifest:
    """One file in the place of many small ones of a folder. Whoever reads the old ones meanwhile finds them gone, and
    looks at the manifest again."""
    kept, merged, gone = [], [], []
    folder_of = attrgetter("folder")
    by_folder = sorted((_Placed(Path(file.path).parent.as_posix(), file) for file in manifest.files), key=folder_of)
    for folder, placed in groupby(by_folder, key=folder_of):
        files = [one.file for one in placed]
        small = [file for file in files if file.bytes < SMALL]
        if len(small) < MANY:
            kept += files
            continue
        kept += [file for file in files if file not in small]
        for group in _groups(sorted(small, key=attrgetter("first"))):
            if len(group) == 1:  # it would take its own place, and then be removed as one of those that were merged
                kept += group
                continue
            merged.append(_merge(directory, folder, group))
            gone += group
    if not merged:
        return manifest
    fewer = replace(manifest, files=tuple(sorted([*kept, *merged], key=lambda file: (file.first, file.path))))
    write_manifest(directory, fewer)
    for file in gone:
        (directory / file.path).unlink()
    return fewer


class _Placed(NamedTuple):
    folder: str
    file: ExportedFile


def _groups(files: Sequence[ExportedFile]) -> Iterator[list[ExportedFile]]:
    """So many in a row as become a large file."""
    group: list[ExportedFile] = []
    for file in files:
        if group and sum(one.bytes for one in group) + file.bytes > LARGE:
            yield group
            group = []
        group.append(file)
    yield group


def _merge(directory: Path, folder: str, files: Sequence[ExportedFile]) -> ExportedFile:
    # Read file by file: the folders' names are no columns of what is in them.
    table = pa.concat_tables([pq.ParquetFile(directory / file.path).read() for file in files])
    return _write_file(directory, folder, files[0].table, table, files[0].first, files[-1].last)


def _write_part(directory: Path, part: Part, table: pa.Table, first: int, last: int) -> ExportedFile:
    return _write_file(directory, part.folder, part.table, table, first, last)


def _write_file(directory: Path, folder: str, name: str, table: pa.Table, first: int, last: int) -> ExportedFile:
    file = directory / folder / f"{first:012}-{last:012}{_SUFFIX}"
    is_new = not file.parent.exists()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    under_way = file.with_suffix(_UNDER_WAY)
    with under_way.open("wb") as sink:
        pq.write_table(table, sink, compression="zstd", compression_level=1, row_group_size=128 * 1024)
        sink.flush()
        os.fsync(sink.fileno())
    under_way.replace(file)
    sync_directory(file.parent)
    if is_new:
        sync_directory(file.parent.parent)
        sync_directory(directory)
    path = file.relative_to(directory).as_posix()
    return ExportedFile(path=path, table=name, first=first, last=last, rows=table.num_rows, bytes=file.stat().st_size)
