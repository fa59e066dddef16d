"""The processes that are measured: `tidemark up` as a whole, and single servers beside it."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import httpx
import psycopg

from adapters.embedded.child import launch_command
from benchmarks.servers import temporary_directory

# The console script, whether or not it is installed.
TIDEMARK = "from entrypoints.cli import main; main()"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Deployment:
    """A running `tidemark up`."""

    pid: int
    urls: Mapping[str, str]

    @property
    def api(self) -> str:
        return self.urls["api"]

    @property
    def database(self) -> str:
        return self.urls["postgres"]

    async def settle(self) -> None:
        """Waits until every read model has everything."""
        async with await psycopg.AsyncConnection.connect(self.database, autocommit=True) as connection:
            while True:
                cursor = await connection.execute(
                    "SELECT (SELECT coalesce(max(notification_id), 0) FROM events) - min(position) FROM projections"
                )
                row = await cursor.fetchone()
                if row and not row[0]:
                    return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def up(environment: Mapping[str, str] | None = None) -> AsyncIterator[Deployment]:
    """`tidemark up` on a fresh directory and free ports."""
    with temporary_directory() as directory:
        ready = directory / "ready.json"
        arguments = ["up", "--data-dir", str(directory / "data"), "--ports", "auto", "--ready-file", str(ready)]
        async with _process(
            [sys.executable, "-c", TIDEMARK, *arguments], environment or {}, directory / "up.log"
        ) as process:
            deadline = monotonic() + _START_SECONDS
            while not ready.exists():
                _require_running(process, directory / "up.log", deadline)
                await asyncio.sleep(0.05)
            facts = json.loads(ready.read_text(encoding="utf-8"))
            yield Deployment(facts["pid"], facts["urls"])


@asynccontextmanager
async def server(program: Sequence[str], port: int, environment: Mapping[str, str]) -> AsyncIterator[str]:
    """A Python program that serves HTTP on the port; its URL."""
    with temporary_directory() as directory:
        log = directory / "server.log"
        async with _process([sys.executable, *program], environment, log) as process:
            url = f"http://127.0.0.1:{port}"
            deadline = monotonic() + _START_SECONDS
            async with httpx.AsyncClient() as client:
                while True:
                    _require_running(process, log, deadline)
                    try:
                        await client.get(f"{url}/health")
                        break
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
            yield url


async def log_in(url: str) -> str:
    """Registers a person and logs in; the token."""
    person = {"username": "benchmark", "password": "what is measured is known"}
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        (await client.post("/register", json=person)).raise_for_status()
        answer = (await client.post("/login", json=person)).raise_for_status()
    return str(answer.json()["token"])


@asynccontextmanager
async def _process(command: list[str], environment: Mapping[str, str], log: Path) -> AsyncIterator[Process]:
    """In a session of its own, so that Ctrl-C reaches it only through us, who wait until it is gone. Should we be
    killed, it is told to end."""
    program = launch_command(command, death_signal=signal.SIGTERM)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *program, env={**os.environ, **environment}, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
            except TimeoutError:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


def _require_running(process: Process, log: Path, deadline: float) -> None:
    if process.returncode is not None or monotonic() > deadline:
        words = log.read_text(encoding="utf-8", errors="replace")[-2_000:]
        raise RuntimeError(f"a measured process did not start:\n{words}")
