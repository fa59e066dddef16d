"""The machine: Python, binaries, directory, disk, ports."""

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from adapters.embedded.cluster import postgres_binaries
from adapters.embedded.errors import EmbeddedServerError
from adapters.embedded.nats import nats_binary
from adapters.embedded.ports import is_taken
from entrypoints.doctor.finding import Finding, bad, good, note
from entrypoints.sockets import LISTENERS

OLDEST_PYTHON = (3, 11)
LEAST_FREE_BYTES = 1024**3


def examine_machine(directory: Path, urls: Mapping[str, str] | None) -> Iterator[Finding]:
    """`urls` is where the installation on the directory runs, None when nothing does."""
    yield _python()
    yield _binary("PostgreSQL", postgres_binaries)
    yield _binary("nats-server", nats_binary)
    yield from _directory(directory)
    yield _disk(directory)
    if urls is None:
        for name, port in [
            *((listener.purpose, listener.port) for listener in LISTENERS),
            ("MQTT", 1883),
            ("NATS", 4222),
        ]:
            yield _port(name, port)


def holder_of(port: int) -> str:
    """Which process listens on the port, as far as we may know."""
    inodes = set(_listening_inodes(port))
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            links = [os.readlink(handle) for handle in (entry / "fd").iterdir()]
            if any(link == f"socket:[{inode}]" for link in links for inode in inodes):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return f"process {entry.name} ({command[:60]})"
        except OSError:
            continue
    return "another user's process"


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return bad("Python", version, "install Python 3.11 or newer")
    return good("Python", version)


def _binary(name: str, find: Callable[[], Path]) -> Finding:
    try:
        return good(name, str(find()))
    except EmbeddedServerError as missing:
        return bad(name, "not found", str(missing))


def _directory(path: Path) -> Iterator[Finding]:
    what = "Data directory"
    if not path.exists():
        yield note(what, f"{path.absolute()} is made by the first `tidemark up`")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield bad(what, f"{path.absolute()} is not ours to write", "run as its owner, or choose another --data-dir")
    elif mode & 0o077:
        yield bad(what, f"others may enter {path.absolute()} ({mode:o})", f"chmod 700 {path}")
    else:
        yield good(what, f"{path.absolute()} ({mode:o})")
    for secret in (path / "jwt-secret", path / "postgres" / "password"):
        if secret.exists() and stat.S_IMODE(secret.stat().st_mode) & 0o077:
            yield bad("Secret", f"others may read {secret}", f"chmod 600 {secret}, and replace the secret")


def _disk(path: Path) -> Finding:
    there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    shown = f"{free / 1024**3:.1f} GB free"
    if free < LEAST_FREE_BYTES:
        return bad("Disk", shown, "make room: PostgreSQL stops when the disk is full")
    return good("Disk", shown)


def _port(name: str, port: int) -> Finding:
    what = f"Port {port}"
    try:
        taken = is_taken(port)
    except OSError as refused:
        return bad(what, f"may not be used ({refused.strerror})", "choose another port")
    if taken:
        return bad(what, f"{name} needs it, {holder_of(port)} has it", "stop that, or choose another port (--help)")
    return good(what, f"free for {name}")


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def address(url: str) -> str:
    """Host and port, fit to be shown."""
    parts = urlsplit(url.split(",")[0])
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
