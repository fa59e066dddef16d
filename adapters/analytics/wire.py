"""What is said between the process that is asked and the one that computes: on its standard input a request as JSON
and then the tables of the log's end, on its standard output the outcome as JSON and then the answer's bytes."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Final, Literal, NamedTuple

import msgspec

# Named here too, for whoever only asks and does without Arrow.
TABLES: Final = ("events", "readings", "metrics", "presence", "commands", "messages")

Format = Literal["json", "csv", "arrow"]

_LENGTH = struct.Struct("<Q")


class Tail(NamedTuple):
    """Everything behind the position of the export up to `position`, as Arrow's stream, by table; a little of what is
    exported may be in it too. Tables without a row are left out."""

    position: int
    streams: Mapping[str, bytes]


class Request(msgspec.Struct):
    """`files` are below `directory`, by table. Rows up to position `exported` are taken from them, later ones from the
    tables that follow, by their names in `tail`. `memory` and `most_bytes` are in bytes."""

    sql: str
    parameters: Mapping[str, Any]
    format: Format
    directory: str
    files: Mapping[str, Sequence[str]]
    tail: Sequence[str]
    exported: int
    position: int
    memory: int
    seconds: float
    most_rows: int
    most_bytes: int
    threads: int


class Outcome(msgspec.Struct):
    """`refused` is the kind of what went wrong, in the words of `query.py`; `message` is for whoever asked."""

    rows: int = 0
    refused: Literal["", "sql", "limit", "files_gone"] = ""
    message: str = ""


class ReplayRequest(msgspec.Struct):
    """Events follow, a JSON array in each frame, and an empty frame at the end."""

    kind: Literal["python", "thresholds"]
    rule: str
    memory: int
    seconds: float
    most_outcomes: int


class Would(msgspec.Struct):
    """What a rule made of the event at the position."""

    position: int
    at: str
    outcome: Any


class ReplayOutcome(msgspec.Struct):
    """What would have happened: so many outcomes, the first of them in full, and the state at the end."""

    events: int = 0
    would_count: int = 0
    would: list[Would] = []
    state: Any = None
    refused: Literal["", "rule", "limit", "no_walls"] = ""
    message: str = ""


def write_frame(stream: BinaryIO, payload: bytes) -> None:
    stream.write(_LENGTH.pack(len(payload)))
    stream.write(payload)


def read_frame(stream: BinaryIO) -> bytes:
    """Raises EOFError when the other side has gone in the middle."""
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    return _exactly(stream, length)


def framed(*payloads: bytes) -> bytes:
    return b"".join(part for payload in payloads for part in (_LENGTH.pack(len(payload)), payload))


def frames_in(received: bytes) -> Sequence[bytes]:
    """Raises EOFError when the last one is not complete."""
    found, at = [], 0
    while at < len(received):
        if len(received) - at < _LENGTH.size:
            raise EOFError
        (length,) = _LENGTH.unpack_from(received, at)
        at += _LENGTH.size
        if len(received) - at < length:
            raise EOFError
        found.append(received[at : at + length])
        at += length
    return found


def _exactly(stream: BinaryIO, length: int) -> bytes:
    payload = stream.read(length)
    if len(payload) < length:
        raise EOFError
    return payload
