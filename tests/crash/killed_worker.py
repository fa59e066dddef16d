"""Runs the projections, or a rebuild, in processes that are killed.

    python -m tests.crash.killed_worker project URL BATCH ROUNDS SEED
    python -m tests.crash.killed_worker rebuild URL BATCH

`project` forks a worker again and again and kills each with SIGKILL, nearly always a random moment after its first
batch. Imports are paid once, so that a round costs little more than its work.
`rebuild` prints its progress and is killed by whoever started it.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from projections import rebuild, runner
from projections.feed import Feed
from projections.registry import READ_MODELS
from projections.runner import ProjectionRunner
from tests.crash.history import head, positions, reader


def project(url: str, batch: int, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    in_work = 0
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(rounds):
            before = _moved(connection)
            worker = os.fork()
            if worker == 0:
                _work(url, batch)
            if chance.random() < 0.9:
                _wait_for(lambda before=before: _moved(connection) != before)
            time.sleep(chance.uniform(0.0, 0.08))
            os.kill(worker, signal.SIGKILL)
            os.waitpid(worker, 0)
            in_work += _moved(connection) != before
    print(f"in-work {in_work}", flush=True)


def _moved(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT sum(position) FROM projections").fetchone()
    return int(row[0]) if row else 0


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.003)


def _work(url: str, batch: int) -> None:
    """The worker as in the product, with small batches so that there are many moments to be killed at."""
    runner.BATCH = batch
    try:
        asyncio.run(ProjectionRunner(url, READ_MODELS, lambda: _feed(url), lambda: _feed(url)).run())
    finally:
        os._exit(1)


@asynccontextmanager
async def _feed(url: str) -> Any:
    log = reader(url)
    try:
        yield Feed(log)
    finally:
        await log.close()


async def catch_up(url: str, batch: int = 4_000) -> None:
    """Runs the projections in this process until every read model has reached the head."""
    runner.BATCH = batch
    running = asyncio.create_task(
        ProjectionRunner(url, READ_MODELS, lambda: _feed(url), lambda: _feed(url)).run(), name="projections"
    )
    try:
        async with asyncio.timeout(120):
            while min((await asyncio.to_thread(positions, url)).values(), default=-1) < head(url):
                await asyncio.sleep(0.05)
    finally:
        running.cancel()
        await asyncio.wait([running])


def _print(progress: rebuild.Progress) -> None:
    print(f"at {progress.position}", flush=True)


async def rebuild_all(url: str, batch: int, tell: Callable[[rebuild.Progress], None] = lambda progress: None) -> None:
    rebuild.BATCH = batch
    log = reader(url)
    try:
        await rebuild.rebuild(url, READ_MODELS, log, tell)
    finally:
        await log.close()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["project", url, batch, rounds, seed]:
            project(url, int(batch), int(rounds), int(seed))
        case ["rebuild", url, batch]:
            asyncio.run(rebuild_all(url, int(batch), _print))
