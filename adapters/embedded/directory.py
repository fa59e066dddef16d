"""A server's directory: private, and used by one process at a time."""

import fcntl
import os
import time
from pathlib import Path

from adapters.embedded.errors import DirectoryInUseError

# A process that was just killed keeps its lock for the moment that it takes to die.
_LOCK_PATIENCE_SECONDS = 1.0
_TRY_AGAIN_SECONDS = 0.01


def private_directory(path: Path) -> Path:
    """Make the directory (mode 0700) if need be; absolute, with links resolved, as /proc shows it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path.resolve()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; it is whole or not there, also after a crash."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make names that were created, renamed or removed in the directory survive a power loss."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class DirectoryLock:
    """The right to run a server on a directory; the kernel gives it back when the process dies."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the lock, unless we have it. Raises DirectoryInUseError when another process has it."""
        if self._handle is not None:
            return
        handle = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._wait_for(handle)
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle

    def release(self) -> None:
        """Give the lock back; nothing happens if we do not have it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _wait_for(self, handle: int) -> None:
        deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    holder = os.pread(handle, 32, 0).decode().strip()
                    pid = int(holder) if holder.isdigit() else None
                    raise DirectoryInUseError(self._directory, pid) from None
                time.sleep(_TRY_AGAIN_SECONDS)
            else:
                return
