"""Checking a signed log of a million events, as `tidemark verify` does, against reading it.

Ours: the whole command, from its start to its exit status; it reads every event and computes its leaf, the hash chain,
the Merkle tree of each checkpoint of 10,000 events, and the signatures. Theirs: PostgreSQL's `COPY` of the same rows in
the order of positions, taken and thrown away. Both in events a second. For context, how fast such a log is signed by
one worker, behind whoever writes it: nothing is computed where events are appended. And how much is kept for an event.
"""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime
from time import perf_counter

from adapters.proof.checkpoints import checkpoints_after, connected
from adapters.proof.ledger import Ledger
from adapters.proof.rows import raw_rows
from adapters.proof.signing import SigningKey
from benchmarks.fleet import announce, fleet
from benchmarks.measure import Bench, Figure, Spread, alternate, compare, require_equal
from benchmarks.rebuild import fill
from benchmarks.servers import migrated_postgres

EVENTS = 1_000_000
TARGET = 300_000
SEED = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="


async def measure(bench: Bench) -> list[Figure]:
    events = 500_000 if bench.quick else EVENTS
    with migrated_postgres() as url:
        bench.say(f"filling the log with {events:,} events")
        members = fleet(500)
        await announce(url, members)
        await asyncio.to_thread(fill, url, members, events)
        key = SigningKey(SEED)
        started = perf_counter()
        await asyncio.to_thread(_sign, url, key)
        signed = events / (perf_counter() - started)

        async def ours() -> float:
            started = perf_counter()
            said = await asyncio.to_thread(_verify, url, key)
            seconds = perf_counter() - started
            require_equal(True, f"up to position {events} (" in said, "whole log proved")
            return events / seconds

        async def theirs() -> float:
            started = perf_counter()
            require_equal(events, await asyncio.to_thread(_read, url, events), "events that were read")
            return events / (perf_counter() - started)

        pairs = await alternate(bench, ours, theirs)
        kept = _kept(url) / events
    verified = Spread.of([pair.ours for pair in pairs])
    return [
        Figure(f"verify of {events:,} events", verified, " events/s", at_least=TARGET),
        compare("the same ÷ COPY of the same events, thrown away", pairs, None, "verify", "COPY"),
        Figure("signing the log, behind the writers", Spread.of([signed]), " events/s"),
        Figure("kept of a signed event", Spread.of([kept]), " bytes"),
    ]


def _sign(url: str, key: SigningKey) -> None:
    ledger = Ledger(url, key, lambda: datetime.now(UTC), 10_000)
    while ledger.extend():
        pass


def _verify(url: str, key: SigningKey) -> str:
    command = [sys.executable, "-m", "entrypoints.cli", "verify", "--key", key.public_key.hex()]
    environment = {**os.environ, "TIDEMARK_DATABASE_URL": url}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def _read(url: str, events: int) -> int:
    with connected(url) as connection:
        return sum(1 for _ in raw_rows(connection, 0, events))


def _kept(url: str) -> int:
    with connected(url) as connection:
        return sum(len(one.statement) + 64 + len(one.marks) for one in checkpoints_after(connection, 0))
