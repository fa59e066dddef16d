"""Checking a live log against its checkpoints: several processes read and hash parts of it, in the order of the log."""

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from psycopg import Connection

from adapters.proof.checkpoint_file import checkpoints_in
from adapters.proof.checkpoints import checkpoints_after, connected, head_of, identity, numbered
from adapters.proof.offline import Checkpoint, Entry, Wrong, chain_start, first_wrong, follow
from adapters.proof.rows import entry_of, leaves_of, raw_rows
from adapters.proof.withholding import require_closed

# So many events one process checks at a time: enough to make asking cheap, and few enough to hold their leaves.
PART = 50_000

_NAME = "tidemark verify"
_FURTHEST = 2**63 - 1


class Verified(NamedTuple):
    """`proved` events are as they were signed; so many come `behind` them, which no checkpoint covers yet."""

    log: str
    checkpoints: int
    proved: int
    behind: int
    keys: Collection[bytes]


class _Part(NamedTuple):
    """Checkpoints that follow one another, and what the chain had come to before them."""

    url: str
    chain: bytes
    checkpoints: Sequence[Checkpoint]


def verify(
    url: str,
    keys: Collection[bytes] = (),
    file: Path | None = None,
    told: Callable[[int, int], None] = lambda position, head: None,
    processes: int | None = None,
) -> Verified:
    """Raises Wrong with the first position that is not as it was signed, and LogUnavailableError.

    Without keys whoever signed the first checkpoint is believed. With the file of checkpoints, whatever it has must be
    in the table too. `told` is called with how far it is and how far the log goes.
    """
    with connected(url, _NAME) as connection, connected(url, _NAME) as second:
        log, head = identity(connection), head_of(connection)
        checked = _Checked(second, log, keys, checkpoints_in(file) if file else iter(()))
        for position in _each(_parts(url, log, checked), processes or os.cpu_count() or 1):
            told(position, head)
        last = checked.last
        proved, number = (last.last, last.number) if last else (0, 0)
        return Verified(log, number, proved, _behind(connection, proved), checked.keys)


class _Checked:
    """The checkpoints of the table, each looked at before it is believed. Raises Wrong."""

    def __init__(
        self, connection: Connection[Any], log: str, keys: Collection[bytes], filed: Iterator[Checkpoint]
    ) -> None:
        self._connection = connection
        self._log = log
        self._filed = filed
        self.keys = keys
        self.last: Checkpoint | None = None

    def __iter__(self) -> Iterator[Checkpoint]:
        filed = next(self._filed, None)
        for checkpoint in checkpoints_after(self._connection, 0):
            self.keys = self.keys or [checkpoint.public_key]
            # The file may have some only: each of them names the one before it.
            if filed is not None and filed.number <= checkpoint.number:
                if filed.statement != checkpoint.statement:
                    first = min(checkpoint.first, filed.first)
                    raise Wrong(first, f"checkpoint {filed.number} of the file is not in the table, which has another")
                filed = next(self._filed, None)
            follow(checkpoint, self.last, self._log, self.keys)
            yield checkpoint
            self.last = checkpoint
        if filed is not None:
            # It may have been signed since the table was read.
            ours = numbered(self._connection, filed.number)
            if ours is None or ours.statement != filed.statement:
                first = self.last.last + 1 if self.last else 1
                raise Wrong(first, f"checkpoint {filed.number} of the file is not in the table: it was truncated")


def _parts(url: str, log: str, checkpoints: Iterable[Checkpoint]) -> Iterator[_Part]:
    chain, part, size = chain_start(log), list[Checkpoint](), 0
    try:
        for checkpoint in checkpoints:
            part.append(checkpoint)
            if (size := size + checkpoint.size) >= PART:
                yield _Part(url, chain, part)
                chain, part, size = checkpoint.chain, [], 0
    except Wrong:
        if part:  # what comes before is looked at first
            yield _Part(url, chain, part)
        raise
    if part:
        yield _Part(url, chain, part)


def _each(parts: Iterator[_Part], processes: int) -> Iterator[int]:
    """Checks them all, tells up to where all is well, and raises what is wrong with the first that is."""
    failure: Wrong | None = None
    under_way: deque[Future[int]] = deque()
    with ExitStack() as stack:
        pool: ProcessPoolExecutor | None = None
        while True:
            try:
                part = next(parts, None)
            except Wrong as wrong:
                part, failure = None, wrong
            if part and pool is None and sum([one.size for one in part.checkpoints]) < PART:
                yield _hold(part)  # the only one: not worth a process
                continue
            if part and pool is None:
                pool = ProcessPoolExecutor(processes, get_context("spawn"))
                stack.callback(pool.shutdown, cancel_futures=True)
            if part and pool:
                under_way.append(pool.submit(_hold, part))
            while under_way and (part is None or len(under_way) > 2 * processes):
                yield under_way.popleft().result()
            if part is None:
                break
    if failure:
        raise failure


def _hold(part: _Part) -> int:
    """Up to where all is well. Raises Wrong."""
    chain, start, emptied = part.chain, 0, list[Entry]()
    with connected(part.url, _NAME) as connection:
        leaves = leaves_of(raw_rows(connection, part.checkpoints[0].first - 1, part.checkpoints[-1].last), emptied)
        for checkpoint in part.checkpoints:
            if not checkpoint.holds(chain, leaves[start : start + checkpoint.size]):
                found = islice(raw_rows(connection, checkpoint.first - 1, _FURTHEST), checkpoint.size + 1)
                raise first_wrong(checkpoint, [entry_of(row) for row in found])
            chain, start = checkpoint.chain, start + checkpoint.size
        if start != len(leaves):
            raise Wrong(part.checkpoints[-1].last, "inserted: there are more events than positions up to here")
        require_closed(connection, emptied)
    return part.checkpoints[-1].last


def _behind(connection: Connection[Any], proved: int) -> int:
    """How many events come behind what is proved. Raises Wrong for positions that cannot be."""
    (least,) = connection.execute("SELECT coalesce(min(notification_id), 1) FROM events").fetchone() or (1,)
    if least < 1:
        raise Wrong(least, "inserted: no event has such a position")
    count, head = connection.execute(
        "SELECT count(*), coalesce(max(notification_id), 0) FROM events WHERE notification_id > %s", (proved,)
    ).fetchone() or (0, 0)
    if count and head != proved + count:
        raise Wrong(proved + 1, f"or behind it: {count} events stand there, up to position {head}; none is signed yet")
    return int(count)
