"""Asks a question in SQL, in a process of its own that is killed when it takes too long."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

import adapters
from adapters.analytics.manifest import Manifest, read_manifest
from adapters.analytics.wire import TABLES, Format, Outcome, Request, Tail, framed, frames_in

# Of the questions that are asked at once so many are answered at once; the others wait.
AT_ONCE = 2
# How often a question is asked again because the files that it was to read became others meanwhile.
_TRIES = 3


class QueryError(Exception):
    """The question is not answered; the text says to whoever asked why not."""


class InvalidQueryError(QueryError):
    """It is no question, or not one that may be asked."""


class QueryTooSlowError(QueryError):
    """It took longer than a question may."""


class QueryTooLargeError(QueryError):
    """It took more memory than a question may, or its answer is too large."""


class ExportBehindError(Exception):
    """The export is so far behind that what is missing in it cannot be handed to a question."""


TailBehind = Callable[[Manifest], Awaitable[Tail]]
"""What the log has behind an export. Raises ExportBehindError, UnreadableManifestError and LogUnavailableError."""


@dataclass(frozen=True)
class QueryLimits:
    """Seconds, bytes of memory, rows and bytes of an answer."""

    seconds: float = 30.0
    memory: int = 512 * 1024**2
    rows: int = 100_000
    bytes: int = 16 * 1024**2


class Answered(NamedTuple):
    """The answer in the format asked for, from the log up to `position`."""

    body: bytes
    rows: int
    position: int


class Queries:
    """`directory` is that of the export, None where there is none: then everything is read from the log."""

    def __init__(self, directory: Path | None, tail: TailBehind, limits: QueryLimits) -> None:
        self._directory = directory.absolute() if directory else None
        self._tail = tail
        self._limits = limits
        self._places = asyncio.Semaphore(AT_ONCE)

    async def ask(self, sql: str, format: Format, parameters: Mapping[str, Any] | None = None) -> Answered:
        """Raises QueryError, ExportBehindError, UnreadableManifestError and LogUnavailableError. Who is cancelled while
        waiting leaves nothing behind."""
        limits = self._limits
        try:
            async with asyncio.timeout(limits.seconds):
                async with self._places:
                    return await self._ask(sql, format, parameters or {})
        except TimeoutError:
            raise QueryTooSlowError(
                f"It took longer than {limits.seconds:g} s: ask for a shorter time, or for fewer devices"
            ) from None

    async def _ask(self, sql: str, format: Format, parameters: Mapping[str, Any]) -> Answered:
        for _ in range(_TRIES):
            manifest = (read_manifest(self._directory) if self._directory else None) or Manifest(log="")
            tail = await self._tail(manifest)
            request = self._request(sql, format, parameters, manifest, tail)
            sent = framed(msgspec.json.encode(request), *tail.streams.values())
            outcome, body = _understood(*await _computed(sent), self._limits)
            if outcome.refused != "files_gone":
                break
        if outcome.refused == "sql":
            raise InvalidQueryError(outcome.message)
        if outcome.refused == "limit":
            raise QueryTooLargeError(outcome.message)
        if outcome.refused:
            raise QueryError(outcome.message)
        return Answered(body, outcome.rows, tail.position)

    def _request(
        self,
        sql: str,
        format: Format,
        parameters: Mapping[str, Any],
        manifest: Manifest,
        tail: Tail,
    ) -> Request:
        limits = self._limits
        return Request(
            sql=sql,
            parameters=parameters,
            format=format,
            directory=str(self._directory or "/nonexistent"),
            files={name: manifest.paths(name) for name in TABLES},
            tail=list(tail.streams),
            exported=manifest.position,
            position=tail.position,
            memory=limits.memory,
            seconds=limits.seconds,
            most_rows=limits.rows,
            most_bytes=limits.bytes,
            threads=max(1, min(4, os.cpu_count() or 1)),
        )


def sandboxed(module: str) -> Mapping[str, Any]:
    """How a program of the sandbox is started: with nothing of our environment, in which there are secrets."""
    ours = str(Path(adapters.__file__).parents[1])
    return {
        "args": (sys.executable, "-P", "-m", module),
        "env": {"PYTHONPATH": ours, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "MALLOC_ARENA_MAX": "2"},
    }


async def ended(process: asyncio.subprocess.Process) -> int:
    """The status of a program of the sandbox. Python 3.11.2 complains on standard error when nobody asks how the pipe
    to it ended."""
    status = await process.wait()
    if process.stdin is not None:
        process.stdin.close()
        with suppress(BrokenPipeError, ConnectionResetError):
            await process.stdin.wait_closed()
    return status


def ended_by_itself(status: int) -> str:
    """What is told of a program of the sandbox that was ended by a signal which is none of ours."""
    name = next((one.name for one in signal.Signals if one == -status), f"signal {-status}")
    return f"Its process ended by itself ({name}), probably because this machine is short of memory: try again shortly"


async def _computed(sent: bytes) -> tuple[int, bytes, bytes]:
    """Status, standard output and standard error of the program that was sent this."""
    how = sandboxed("adapters.analytics.sandbox")
    process = await asyncio.create_subprocess_exec(
        *how["args"],
        env=how["env"],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        cwd="/",
    )
    try:
        told, complaints = await process.communicate(sent)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        status = await ended(process)
    return status, told, complaints


def _understood(status: int, told: bytes, complaints: bytes, limits: QueryLimits) -> tuple[Outcome, bytes]:
    try:
        outcome, body = frames_in(told)
        return msgspec.json.decode(outcome, type=Outcome), body
    except (EOFError, ValueError):
        pass
    if status == -signal.SIGXCPU:
        raise QueryTooLargeError("It took more of this machine than a question may")
    if b"MemoryError" in complaints or b"bad_alloc" in complaints:
        raise QueryTooLargeError(f"It takes more than {limits.memory // 1024**2} MB of memory")
    if status < 0:
        raise QueryError(ended_by_itself(status))
    raise RuntimeError(f"the program that answers questions ended with {status}: {complaints.decode(errors='replace')}")
