"""The file of checkpoints: one a line, synced to disk."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

from adapters.embedded.directory import sync_directory
from adapters.proof.checkpoints import line_of
from adapters.proof.offline import Checkpoint

NAME = "checkpoints.jsonl"

_BLOCK = 1024 * 1024


class CheckpointFile:
    """Fills CheckpointCopy: `checkpoints.jsonl` in the directory, which is made."""

    name = "the file of checkpoints"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def last(self) -> Checkpoint | None:
        return await asyncio.to_thread(self._last)

    async def append(self, checkpoint: Checkpoint) -> None:
        await asyncio.to_thread(self._append, checkpoint)

    def _last(self) -> Checkpoint | None:
        try:
            with (self._directory / NAME).open("r+b") as file:
                end = file.seek(0, os.SEEK_END)
                tail, start = b"", end
                while start and tail.count(b"\n") < 2:
                    start = file.seek(max(0, start - _BLOCK))
                    tail = file.read(end - start)
                    file.seek(start)
                whole = tail[: tail.rfind(b"\n") + 1]
                if len(whole) < len(tail):  # a line that a crash cut off
                    file.truncate(start + len(whole))
                lines = whole.splitlines()
                return Checkpoint.of_line(lines[-1]) if lines else None
        except FileNotFoundError:
            return None

    def _append(self, checkpoint: Checkpoint) -> None:
        path = self._directory / NAME
        is_new = not path.exists()
        self._directory.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(line_of(checkpoint).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync_directory(self._directory)


def checkpoints_in(path: Path) -> Iterator[Checkpoint]:
    """Without the last line if it is cut off: it is being written, or a crash came between."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield Checkpoint.of_line(line)
