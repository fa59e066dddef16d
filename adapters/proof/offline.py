"""Checks an exported log against its signed checkpoints. Needs nothing but this file and Python's standard library:

    python offline.py EXPORT CHECKPOINTS [PUBLIC_KEY …]
    python offline.py --proof PROOF [PUBLIC_KEY …]
    python offline.py --proof PROOF --export EXPORT [PUBLIC_KEY …]

EXPORT is what `tidemark export-log` writes, CHECKPOINTS the file `checkpoints.jsonl` of the directory of proofs, PROOF
the JSON of an inclusion proof, PUBLIC_KEY the 64 hexadecimal digits that `tidemark proof-key` prints. A proof by
itself shows the leaf of an event; with an export, that it is the leaf of the event which stands there. The exit status
is 0 when everything is as it was signed, else 1. How all of it is made: docs/adr/0021-provable-log.md.
"""

import base64
import gzip
import json
import re
import struct
import sys
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256, sha512
from itertools import islice
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

# So much of each leaf is kept beside a checkpoint: enough to tell which event is wrong. Whether one is, the root tells.
MARK = 8
EXPORT_FORMAT, FORMAT = "tidemark-log-1", "tidemark-checkpoint-1"
NO_CHECKPOINT = "0" * 64

# Of events with this topic the values may be taken out of the log; their digest then stands in their place.
WITHHOLDING = b"streams.partition.produced.v1"
CLOSING = b"streams.topic.day_closed.v1"
_VALUES = b',"values":'
_TAKEN_OUT = re.compile(rb'\[\](\}.*),"values_sha256":"([0-9a-f]{64})"\}', re.DOTALL)


class Entry(NamedTuple):
    """An event as it is stored."""

    position: int
    aggregate_id: bytes
    version: int
    topic: bytes
    state: bytes


class Wrong(Exception):  # noqa: N818  # what is wrong, for the exit status and one line
    """The first position that is not as it was signed, and what is wrong there."""

    def __init__(self, position: int, what: str) -> None:
        super().__init__(position, what)
        self.position = position
        self.what = what

    def __str__(self) -> str:
        return f"position {self.position}: {self.what}"


class NotTrusted(Wrong):
    """A checkpoint is signed with a key that is none of those given."""


class Closings:
    """Values may be taken out of messages of days whose closing is on record, and of no others."""

    def __init__(self) -> None:
        self._begins: defaultdict[tuple[str, int], int] = defaultdict(int)
        # Version and position in turn: there may be millions.
        self._emptied: defaultdict[tuple[str, int], array[int]] = defaultdict(lambda: array("q"))

    def look_at(self, entry: Entry) -> None:
        if entry.topic == WITHHOLDING and is_emptied(entry.state):
            data = json.loads(entry.state)["data"]
            self._emptied[data["name"], data["partition"]].extend((entry.version, entry.position))
        elif entry.topic == CLOSING:
            data = json.loads(entry.state)["data"]
            for partition, first in enumerate(data["first"]):
                place = data["name"], partition
                self._begins[place] = max(self._begins[place], first.get("entries", 0))

    def require(self) -> None:
        """Raises Wrong for the first event that was emptied, and should not be."""
        wrong = [
            position
            for place, emptied in self._emptied.items()
            for version, position in zip(emptied[::2], emptied[1::2], strict=True)
            if version > self._begins[place]
        ]
        if wrong:
            raise Wrong(min(wrong), "emptied: its values were taken out, and no closing of its day is on record")


# Leaves, chain and tree


def leaf_of(entry: Entry) -> bytes:
    state = parted(entry.state) if entry.topic == WITHHOLDING else [entry.state]
    position, version = (number.to_bytes(8, signed=True) for number in (entry.position, entry.version))
    return sha256(b"\x00" + framed([position, entry.aggregate_id, version, entry.topic, *state])).digest()


def framed(fields: Sequence[bytes]) -> bytes:
    """How many fields, in two bytes; then each behind its length in four."""
    return struct.pack(">H", len(fields)) + b"".join([struct.pack(">I", len(field)) + field for field in fields])


def parted(state: bytes) -> list[bytes]:
    """What stands before the values, the SHA-256 of the values, what stands behind them: the same before and after they
    were taken out. Within a JSON text there is no bare quote, so what is looked for is found where it is meant."""
    head, found, rest = state.partition(_VALUES)
    if found and (taken_out := _TAKEN_OUT.fullmatch(rest)):
        return [head + found, bytes.fromhex(taken_out[2].decode()), taken_out[1] + b"}"]
    end = len(rest) - 3 if rest.endswith(b"]}}") else rest.rfind(b']},"causation_id":"')
    if not found or end < 0:
        return [state]
    return [head + found, sha256(rest[: end + 1]).digest(), rest[end + 1 :]]


def is_emptied(state: bytes) -> bool:
    return _TAKEN_OUT.fullmatch(state.partition(_VALUES)[2]) is not None


def chained(value: bytes, leaves: Iterable[bytes]) -> bytes:
    """The value of the chain behind these leaves."""
    for leaf in leaves:
        value = sha256(value + leaf).digest()
    return value


def chain_start(log: str) -> bytes:
    """The value before the first event."""
    return sha256(b"tidemark log " + log.encode()).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1: a level after the other, the last node of an odd level goes up as it is."""
    level = leaves
    while len(level) > 1:
        level = level_above(level)
    return level[0]


def root_by_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root of the tree in which the leaf stands there, None if no tree of that size has such a path."""
    if not 0 <= index < size:
        return None
    node, left, last = leaf, list(path), size - 1
    while last:
        if index % 2 or index < last:
            if not left:
                return None
            beside = left.pop(0)
            node = sha256(b"\x01" + (beside + node if index % 2 else node + beside)).digest()
        index, last = index >> 1, last >> 1
    return None if left else node


def level_above(level: Sequence[bytes]) -> list[bytes]:
    above = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
    if len(level) % 2:
        above.append(level[-1])
    return above


# Checkpoints


class Checkpoint(NamedTuple):
    """`statement` is what was signed, a JSON object; `marks` are the first bytes of each of its leaves."""

    statement: bytes
    signature: bytes
    marks: bytes
    number: int
    log: str
    first: int
    last: int
    chain: bytes
    root: bytes
    marks_digest: str
    previous: str
    public_key: bytes

    @classmethod
    def of(cls, statement: bytes, signature: bytes, marks: bytes) -> "Checkpoint":
        said = json.loads(statement)
        if said["format"] != FORMAT:
            raise ValueError(f"a checkpoint of the form {said['format']}, not {FORMAT}")
        return cls(
            statement,
            signature,
            marks,
            number=said["number"],
            log=said["log"],
            first=said["first"],
            last=said["last"],
            chain=bytes.fromhex(said["chain"]),
            root=bytes.fromhex(said["root"]),
            marks_digest=said["marks"],
            previous=said["previous"],
            public_key=bytes.fromhex(said["public_key"]),
        )

    @classmethod
    def of_line(cls, line: str | bytes) -> "Checkpoint":
        said = json.loads(line)
        signature, marks = base64.b64decode(said["signature"]), base64.b64decode(said.get("marks", ""))
        return cls.of(said["statement"].encode(), signature, marks)

    @property
    def digest(self) -> str:
        return sha256(self.statement).hexdigest()

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    def holds(self, chain: bytes, leaves: Sequence[bytes]) -> bool:
        """Whether these are its leaves, the chain having come to that value before them."""
        return len(leaves) == self.size and root_of(leaves) == self.root and chained(chain, leaves) == self.chain


def follow(checkpoint: Checkpoint, previous: Checkpoint | None, log: str, keys: Collection[bytes]) -> None:
    """Raises Wrong unless the checkpoint is signed with one of the keys and follows the previous one."""
    name = f"checkpoint {checkpoint.number}"
    if checkpoint.log != log:
        raise Wrong(checkpoint.first, f"{name} belongs to the log {checkpoint.log}, this is {log}")
    number, first, digest = (previous.number, previous.last, previous.digest) if previous else (0, 0, NO_CHECKPOINT)
    if (checkpoint.number, checkpoint.first, checkpoint.previous) != (number + 1, first + 1, digest):
        raise Wrong(first + 1, f"{name} does not follow checkpoint {number}: one is missing, added or exchanged")
    require_signed(checkpoint, checkpoint.first, keys)


def require_signed(checkpoint: Checkpoint, position: int, keys: Collection[bytes]) -> None:
    """Raises Wrong unless the checkpoint is signed with one of the keys."""
    name, key = f"checkpoint {checkpoint.number}", checkpoint.public_key
    if key not in keys:
        raise NotTrusted(position, f"{name} is signed with the key {key.hex()}, which is not trusted")
    if not is_signed(key, checkpoint.signature, checkpoint.statement) or checkpoint.size < 1:
        raise Wrong(position, f"the signature of {name} is not that of what it says")


def first_wrong(checkpoint: Checkpoint, entries: Sequence[Entry]) -> Wrong:
    """What is wrong with the events of a checkpoint that does not hold for them: as they lie in the log from where it
    begins, one more than it has, fewer only where the log ends."""
    first, last, marks = checkpoint.first, checkpoint.last, checkpoint.marks
    if sha256(marks).hexdigest() != checkpoint.marks_digest:
        what = "or behind it: an event is wrong, and the marks that would tell which one are not those that were signed"
        return Wrong(first, f"{what} (up to {last})")

    def belongs(entry: Entry, position: int) -> bool:
        start = (position - first) * MARK
        return leaf_of(entry._replace(position=position))[:MARK] == marks[start : start + MARK]

    standing = {entry.position: entry for entry in entries}
    for index, position in enumerate(range(first, last + 1)):
        if index >= len(entries):
            return Wrong(position, f"truncated: the log ends before it, checkpoint {checkpoint.number} at {last}")
        entry, after = entries[index], entries[index + 1] if index + 1 < len(entries) else None
        if entry.position < position:
            return Wrong(entry.position, "inserted: a second event stands at this position")
        if entry.position > position:
            if position in standing:
                return Wrong(position, f"swapped: the event of position {entry.position} stands where it belongs")
            return Wrong(position, "deleted: there is no event at this position")
        if belongs(entry, position):
            continue
        other = next((other for other in range(first, last + 1) if belongs(entry, other)), None)
        if other in standing and belongs(standing[other], position):
            return Wrong(position, f"swapped: it has changed places with the event of position {other}")
        if after and belongs(after, position):
            what = f"the one that belongs here stands behind it, as position {after.position}"
            return Wrong(position, f"inserted: this event was not there; {what}")
        if other is None:
            return Wrong(position, "changed: the event is not the one that was signed")
        if other > position:
            return Wrong(position, f"deleted: the event is gone, that of position {other} has moved up to its place")
        return Wrong(position, f"inserted: the event of position {other} stands here once more")
    return Wrong(first, f"or behind it, up to {last}: the events are not those of checkpoint {checkpoint.number}")


# Signatures


def is_signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Ed25519, by the package `cryptography` where there is one."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return is_signed_slowly(public_key, signature, message)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_Point = tuple[int, int, int, int]


def is_signed_slowly(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """RFC 8032, section 5.1.7, in about ten milliseconds."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key, commitment = _point(public_key), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    base = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    if key is None or commitment is None or base is None or scalar >= _ORDER:
        return False
    challenge = int.from_bytes(sha512(signature[:32] + public_key + message).digest(), "little") % _ORDER
    left, right = _times(scalar, base), _added(commitment, _times(challenge, key))
    return (left[0] * right[2] - right[0] * left[2]) % _P == 0 == (left[1] * right[2] - right[1] * left[2]) % _P


def _point(encoded: bytes) -> _Point | None:
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - square) % _P or y >= _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _added(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c, d = 2 * one[3] * other[3] * _D % _P, 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: _Point) -> _Point:
    product: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            product = _added(product, point)
        point, scalar = _added(point, point), scalar >> 1
    return product


# An export and a proof


def check_export(
    entries: Iterator[Entry],
    log: str,
    checkpoints: Iterable[Checkpoint],
    keys: Collection[bytes] = (),
    told: Callable[[int], None] = lambda position: None,
) -> tuple[int, int]:
    """How far the log is proved, and how many events come behind that. Without keys whatever key signed the first
    checkpoint is believed. Raises Wrong."""
    previous, chain, closings = None, chain_start(log), Closings()
    for checkpoint in checkpoints:
        keys = keys or [checkpoint.public_key]
        follow(checkpoint, previous, log, keys)
        held = list(islice(entries, checkpoint.size))
        if not checkpoint.holds(chain, [leaf_of(entry) for entry in held]):
            raise first_wrong(checkpoint, [*held, *islice(entries, 1)])
        previous, chain = checkpoint, checkpoint.chain
        for entry in held:
            closings.look_at(entry)
        told(checkpoint.last)
    proved, behind = previous.last if previous else 0, 0
    for behind, entry in enumerate(entries, 1):
        if entry.position != proved + behind:
            raise Wrong(proved + behind, f"the event of position {entry.position} stands here, not yet signed")
        closings.look_at(entry)
    closings.require()
    return proved, behind


def check_inclusion(proof: Mapping[str, Any], keys: Collection[bytes] = ()) -> Checkpoint:
    """The checkpoint that the proof leads to, which is signed with one of the keys. Raises Wrong."""
    position, checkpoint = int(proof["position"]), Checkpoint.of_line(json.dumps(proof["checkpoint"]))
    path = [bytes.fromhex(node) for node in proof["path"]]
    require_signed(checkpoint, position, keys or [checkpoint.public_key])
    leaf = bytes.fromhex(proof["leaf"])
    if root_by_path(leaf, position - checkpoint.first, checkpoint.size, path) != checkpoint.root:
        raise Wrong(position, "the path does not lead from the leaf to the root of the checkpoint")
    return checkpoint


def check_held(proof: Mapping[str, Any], entries: Iterable[Entry]) -> Entry:
    """The event of the proof's position, whose leaf the proof is of, also if it stands there twice. Raises Wrong."""
    position, leaf = int(proof["position"]), bytes.fromhex(proof["leaf"])
    held = [entry for entry in entries if entry.position == position]
    if not held:
        raise Wrong(position, "there is no event at this position of the export")
    if any(leaf_of(entry) != leaf for entry in held):
        raise Wrong(position, "the event in the export is not the one that the proof is of")
    return held[0]


def read_export(path: str) -> tuple[str, Iterator[Entry]]:
    """Which log it is, and its events."""
    lines = gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb")  # noqa: SIM115  # read to its end
    head = json.loads(lines.readline())
    if head.get("format") != EXPORT_FORMAT:
        raise ValueError(f"{path} is no export of a log: it does not begin with a line of the format {EXPORT_FORMAT}")
    return head["log"], map(_entry, lines)


def _entry(line: bytes) -> Entry:
    position, aggregate_id, version, topic, state = json.loads(line)
    return Entry(position, UUID(aggregate_id).bytes, version, topic.encode(), base64.b64decode(state))


def main(arguments: Sequence[str]) -> int:
    match arguments:
        case ["--proof", proof, "--export", export, *given]:
            look = partial(_look_at_proof, proof, export)
        case ["--proof", proof, *given]:
            look = partial(_look_at_proof, proof, None)
        case [export, checkpoints, *given]:
            look = partial(_look_at_export, export, checkpoints)
        case _:
            sys.stderr.write(__doc__ or "")
            return 2
    try:
        keys = [bytes.fromhex(key) for key in given]
        sys.stdout.write(f"{look(keys)}\n")
    except Wrong as wrong:
        sys.stdout.write(f"WRONG: {wrong}\n")
        return 1
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError) as fault:
        sys.stdout.write(f"WRONG: cannot be read: {type(fault).__name__}: {fault}\n")
        return 1
    if not keys:
        sys.stdout.write("No public key was given: whoever signed was believed.\n")
    return 0


def _look_at_proof(path: str, export: str | None, keys: Collection[bytes]) -> str:
    with open(path, encoding="utf-8") as file:
        proof = json.load(file)
    checkpoint, event = check_inclusion(proof, keys), "The event"
    if export is not None:
        log, entries = read_export(export)
        if log != checkpoint.log:
            raise Wrong(
                int(proof["position"]), f"the proof belongs to the log {checkpoint.log}, the export is of {log}"
            )
        held = check_held(proof, entries)
        event = f"The event of position {held.position} as it is in {export}"
        if held.topic == WITHHOLDING and is_emptied(held.state):
            event += ", but for its values, which were taken out,"
    return f"{event} is in checkpoint {checkpoint.number}, signed with the key {checkpoint.public_key.hex()}"


def _look_at_export(path: str, checkpoints: str, keys: Collection[bytes]) -> str:
    started = said = monotonic()

    def told(position: int) -> None:
        nonlocal said
        if monotonic() - said > 1:
            said = monotonic()
            sys.stderr.write(f"{position} events, {position / (said - started):.0f} a second\n")

    log, entries = read_export(path)
    with open(checkpoints, encoding="utf-8") as file:
        proved, behind = check_export(entries, log, map(Checkpoint.of_line, file), keys, told)
    return f"The log {log} is as it was signed up to position {proved}; {behind} events come behind that"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
