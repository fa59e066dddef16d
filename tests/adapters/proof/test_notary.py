"""The log is signed behind whoever writes it, by one process of several, and what was signed is copied away."""

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import nats
import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.eventstore.lease import Lease
from adapters.nats.checkpoint_stream import STREAM, SUBJECT, CheckpointStream
from adapters.nats.connection import NatsConnection
from adapters.proof.checkpoint_file import NAME, CheckpointFile, checkpoints_in
from adapters.proof.checkpoints import checkpoints_after, connected
from adapters.proof.ledger import MOST_BYTES, NotInOrderError
from adapters.proof.notary import CheckpointCopy, Notary
from adapters.proof.offline import Checkpoint
from tests.adapters.proof.signed_log import SEED, SignedLog
from tests.servers import start_nats

PATIENCE = 30.0


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[EmbeddedNats]:
    with start_nats(tmp_path / "nats") as server:
        yield server


@asynccontextmanager
async def signing(
    log: SignedLog, *copies: CheckpointCopy, most: int = 10, seconds: float = 60
) -> AsyncIterator[Notary]:
    notary = Notary(log.ledger(most), Lease(log.url, "proof"), copies, most, seconds)
    running = asyncio.create_task(notary.run())
    try:
        yield notary
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def until(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not there():
            await asyncio.sleep(0.02)


def table(log: SignedLog) -> list[Checkpoint]:
    with connected(log.url) as connection:
        return list(checkpoints_after(connection, 0))


def spans(checkpoints: list[Checkpoint]) -> list[tuple[int, int]]:
    return [(one.first, one.last) for one in checkpoints]


async def test_it_is_signed_when_many_events_wait(log: SignedLog) -> None:
    log.fill(35)
    async with signing(log):
        await until(lambda: len(table(log)) == 3)
    assert spans(table(log)) == [(1, 10), (11, 20), (21, 30)]
    assert log.verify()[1:4] == (3, 30, 5)


async def test_it_is_signed_when_few_have_waited_for_long(log: SignedLog) -> None:
    log.fill(3)
    async with signing(log, seconds=0.2):
        await until(lambda: len(table(log)) == 1)
        log.fill(1)
        await until(lambda: len(table(log)) == 2)
    assert spans(table(log)) == [(1, 3), (4, 4)]


async def test_what_came_last_is_signed_at_the_end(log: SignedLog) -> None:
    file = CheckpointFile(log.directory)
    log.fill(15)
    async with signing(log, file) as notary:
        await until(lambda: len(table(log)) == 1)
    await notary.conclude()
    assert spans(table(log)) == spans(list(checkpoints_in(log.checkpoints))) == [(1, 10), (11, 15)]


async def test_who_does_not_sign_leaves_the_end_to_others(log: SignedLog) -> None:
    async with Lease(log.url, "proof").held(), signing(log, seconds=0.05) as notary:
        log.fill(1)
    await notary.conclude()
    assert table(log) == []


async def test_another_goes_on_where_one_ended(log: SignedLog) -> None:
    log.fill(10)
    async with signing(log) as first:
        await until(lambda: len(table(log)) == 1)
        async with signing(log):
            log.fill(10)
            await until(lambda: len(table(log)) == 2)
    assert first is not None
    assert spans(table(log)) == [(1, 10), (11, 20)]


def test_two_that_sign_at_once_sign_each_event_once(log: SignedLog) -> None:
    log.fill(500)
    program = f"""
import datetime
from adapters.proof.ledger import Ledger
from adapters.proof.signing import SigningKey
ledger = Ledger({log.url!r}, SigningKey({SEED!r}), lambda: datetime.datetime.now(datetime.UTC), 1)
while ledger.waiting()[0]:
    ledger.extend()
"""
    both = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]
    deadline = time.monotonic() + PATIENCE
    while len(table(log)) < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    both[0].kill()  # in the middle of whatever it does
    assert [process.wait(PATIENCE) for process in both] == [-9, 0]
    assert log.verify()[1:4] == (500, 500, 0)


async def test_it_goes_on_after_the_database_was_away(log: SignedLog) -> None:
    log.fill(10)
    async with signing(log):
        await until(lambda: len(table(log)) == 1)
        with log.connection() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        log.fill(10)
        await until(lambda: len(table(log)) == 2)


def test_large_events_make_small_checkpoints(log: SignedLog) -> None:
    log.fill(9)
    ledger = log.ledger(most=10, most_bytes=600)
    while ledger.extend():
        pass
    assert {checkpoint.size for checkpoint in table(log)} <= {1, 2, 3}
    assert log.verify().proved == 9
    assert MOST_BYTES > 1_000_000


def test_a_log_with_a_gap_is_not_signed(log: SignedLog) -> None:
    log.fill(5)
    log.execute("DELETE FROM events WHERE notification_id = 3")
    with pytest.raises(NotInOrderError, match="position 3"):
        log.ledger().extend()


async def test_it_is_copied_to_a_file_and_to_nats(log: SignedLog, own_nats: EmbeddedNats) -> None:
    log.fill(30)
    async with (
        NatsConnection(own_nats.url, "test") as connection,
        signing(log, CheckpointFile(log.directory), CheckpointStream(connection)),
    ):
        client = await nats.connect(own_nats.url)
        stream = client.jetstream()

        async def copied() -> int:
            with suppress(nats.errors.Error):
                return int((await stream.stream_info(STREAM)).state.last_seq)
            return 0

        async with asyncio.timeout(PATIENCE):
            while await copied() < 3:
                await asyncio.sleep(0.02)
        messages = [await stream.get_msg(STREAM, number) for number in (1, 2, 3)]
        await client.close()
    assert {message.subject for message in messages} == {SUBJECT}
    assert [json.loads(message.data or b"")["statement"] for message in messages] == [
        checkpoint.statement.decode() for checkpoint in table(log)
    ]
    assert list(checkpoints_in(log.checkpoints)) == table(log)


async def test_a_copy_that_was_lost_is_made_again(log: SignedLog) -> None:
    file = CheckpointFile(log.directory)
    log.fill(20)
    log.sign()
    async with signing(log, file):
        await until(lambda: log.checkpoints.exists() and len(log.checkpoints.read_bytes().splitlines()) == 2)
    whole = log.checkpoints.read_bytes()
    log.checkpoints.write_bytes(whole[:-100])  # as a crash leaves it
    log.fill(10)
    async with signing(log, file):
        await until(lambda: len(log.checkpoints.read_bytes().splitlines()) == 3)
    assert list(checkpoints_in(log.checkpoints)) == table(log)


async def test_a_copy_of_what_is_no_more_stays_as_it_is(log: SignedLog, caplog: pytest.LogCaptureFixture) -> None:
    """The database was restored from a backup, or somebody wants us to forget."""
    file = CheckpointFile(log.directory)
    log.fill(20)
    log.sign()
    async with signing(log, file):
        await until(lambda: log.checkpoints.exists() and len(log.checkpoints.read_bytes().splitlines()) == 2)
    kept = log.checkpoints.read_bytes()
    log.execute("DELETE FROM proof_checkpoints WHERE number > 1", "DELETE FROM events WHERE notification_id > 10")
    with caplog.at_level(logging.ERROR, "tidemark.proof"):
        async with signing(log, file):
            await until(lambda: "its checkpoint 2 is none of this log" in caplog.text)
    assert (log.directory / NAME).read_bytes() == kept
