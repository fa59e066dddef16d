"""Writing the log to a file that `offline.py` reads: JSON lines, gzipped when its name says so.

The first line names the format and the log; every other is `[position, aggregate, version, topic, state]`, the state in
base64. It holds everything that was stored, private fields too.
"""

import base64
import gzip
import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, cast
from uuid import UUID

from adapters.proof.checkpoints import checkpoints_after, connected, head_of, identity, line_of
from adapters.proof.offline import EXPORT_FORMAT
from adapters.proof.rows import entry_of, raw_rows

_TOLD_EVERY = 10_000


def export_log(
    url: str, file: Path, checkpoints: Path | None, told: Callable[[int, int], None] = lambda position, head: None
) -> int:
    """Returns how many events it has. Raises LogUnavailableError and OSError."""
    with connected(url, "tidemark export-log") as connection:
        # Checkpoints first: what they cover is in the log already.
        if checkpoints is not None:
            with checkpoints.open("w", encoding="utf-8") as sink:
                for checkpoint in checkpoints_after(connection, 0):
                    sink.write(line_of(checkpoint) + "\n")
        log, head, count = identity(connection), head_of(connection), 0
        with _private(file) as plain, _zipped(plain) if file.name.endswith(".gz") else nullcontext(plain) as lines:
            lines.write(json.dumps({"format": EXPORT_FORMAT, "log": log}).encode() + b"\n")
            for row in raw_rows(connection, 0, head):
                entry = entry_of(row)
                aggregate, state = UUID(bytes=entry.aggregate_id), base64.b64encode(entry.state).decode()
                fields = [entry.position, str(aggregate), entry.version, entry.topic.decode(), state]
                lines.write(json.dumps(fields, separators=(",", ":")).encode() + b"\n")
                count += 1
                if count % _TOLD_EVERY == 0:
                    told(entry.position, head)
    return count


def _private(file: Path) -> BinaryIO:
    """Only its owner may read what stands in it."""
    file.unlink(missing_ok=True)
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _zipped(plain: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=plain, mode="wb", compresslevel=4))
