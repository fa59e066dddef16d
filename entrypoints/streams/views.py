"""What clients of this contract get to see."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from struct import Struct

import cramjam
import msgspec

from application.streams.messages import Batch, Run
from domain.streams.placement import LOWEST

BINARY_TYPES = ("application/vnd.polar.consumermessage", "application/vnd.barco.consumermessage")

# There is one broker, which has all tokens, and no other one ever took them over.
_VERSION = 1
_ITEM = Struct("!qBIB").pack
_OFFSET_AND_LENGTH = Struct("!qi").pack
_RECORD = Struct("!qI").pack
_raw_values = msgspec.json.Decoder(list[msgspec.Raw]).decode


def poll_json(batches: Sequence[Batch]) -> bytes:
    """An array with one item for each partition; in topics that hold the log one for each run of positions."""
    items = [_item(batch, runs) for batch in batches for runs in _unbroken(batch.runs)]
    return b"[" + b",".join(items) + b"]"


def _item(batch: Batch, runs: Sequence[Run]) -> bytes:
    values = b",".join([run.values for run in runs])
    return (b'{"topic":%s,"token":"%d","rangeIndex":%d,"version":%d,"startOffset":"%d","values":[%s]}') % (
        msgspec.json.encode(batch.name),
        LOWEST,
        batch.partition,
        _VERSION,
        runs[0].offset,
        values,
    )


def poll_binary(batches: Sequence[Batch]) -> bytes:
    """The layout of the contract (4.3), big-endian; records are compressed with Zstandard."""
    items = [(batch, runs) for batch in batches for runs in _unbroken(batch.runs)]
    parts = [len(items).to_bytes(2, "big")]
    for batch, runs in items:
        name = batch.name.encode()
        records = b"".join([record for run in runs for record in _records(run)])
        payload = bytes(cramjam.zstd.compress(records))
        parts += (_ITEM(LOWEST, batch.partition, _VERSION, len(name)), name)
        parts += (_OFFSET_AND_LENGTH(runs[0].offset, len(payload)), payload)
    return b"".join(parts)


def _records(run: Run) -> Iterator[bytes]:
    microseconds = round(run.at.timestamp() * 1_000_000)
    for value in _raw_values(b"[" + run.values + b"]"):
        content = bytes(value)
        yield _RECORD(microseconds, len(content)) + content


def _unbroken(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs that follow one another without a gap, together."""
    gaps = 0

    def numbered() -> Iterator[tuple[int, Run]]:
        nonlocal gaps
        end = None
        for run in runs:
            gaps += end != run.offset
            end = run.offset + run.size
            yield gaps, run

    return [[run for _, run in together] for _, together in groupby(numbered(), key=lambda one: one[0])]
