"""The index of the log by who, what, through what and in which conversation, block by block (docs/adr/0020).

A block is written once, when it is full. What it holds until then is in this process, and read again from the log when
that was lost or belongs to a batch that was rolled back.
"""

import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import ClassVar, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa

from domain.catalogue import CATALOGUE
from domain.event import Envelope, Event, Recorded
from domain.value import Value
from projections.database import METADATA
from projections.readmodel import Target

BLOCK = 4_096

AUDIT_KEYS = sa.Table(
    "audit_keys",
    METADATA,
    sa.Column("key", sa.BigInteger, primary_key=True),
    sa.Column("block", sa.BigInteger, primary_key=True),
    sa.Column("offsets", sa.LargeBinary, nullable=False),
)
AUDIT_BLOCKS = sa.Table(
    "audit_blocks",
    METADATA,
    sa.Column("block", sa.BigInteger, primary_key=True),
    sa.Column("earliest", sa.DateTime(timezone=True), nullable=False),
    sa.Column("latest", sa.DateTime(timezone=True), nullable=False),
)

Kind = Literal["context", "aggregate", "event", "actor", "source", "correlation", "about"]

# The time of an event, in SQL. It stands at the same place in every one: {"id":"…36…","at":"
AT = "split_part(convert_from(substring(state FROM 52 FOR 28), 'UTF8'), '\"', 1)::timestamptz"

# The envelope stands before the data and does not need it.
HEAD_BYTES = 700
_DATA = b',"data":'
_BITMAP = BLOCK // 8


class _Data(Value):
    data: msgspec.Raw


class Head(Value):
    """The beginning of what is stored of an event."""

    at: datetime
    actor: str
    source: str
    correlation_id: str


_decode_data = msgspec.json.Decoder(_Data).decode
_decode_head = msgspec.json.Decoder(Head).decode


def head_of(beginning: bytes) -> Head:
    """Of the first bytes of what is stored, or of all of it."""
    return _decode_head(beginning[: beginning.index(_DATA)] + b"}")


def ids_named_in(topic: str, state: bytes) -> Sequence[UUID]:
    """Which things an event is about beside its own aggregate, by what is stored. That must be whole where the topic is
    one of NAMING."""
    return _ids_in(CATALOGUE.decode(topic, _decode_data(state).data)) if topic in NAMING else ()


def _ids_in(event: Event) -> Sequence[UUID]:
    """The same, of the event itself."""
    names = _id_fields(type(event))
    return [id for name in names if type(id := getattr(event, name)) is UUID] if names else ()


@cache
def _id_fields(event: type[Event]) -> Sequence[str]:
    return [name for name in event.__struct_fields__ if name.endswith("_id")]


NAMING = frozenset(topic for topic, event in CATALOGUE.by_topic.items() if _id_fields(event))
"""The topics of events that name things by their ids."""

# Of those the whole is read, of others the beginning: what messages bring may be large.
STORED = f"CASE WHEN topic = ANY(%s) THEN state ELSE substring(state FOR {HEAD_BYTES}) END"


def key_of(kind: Kind, value: str) -> int:
    """63 bits, so that two share one hardly ever; whoever searches looks at the event as well."""
    digest = blake2b(f"{kind}\0{value}".encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


@cache
def names_of(topic: str) -> tuple[str, str, str]:
    """The context, the kind of aggregate and the event that a topic names, without its version."""
    context, aggregate, event = topic.split(".")[:3]
    return context, f"{context}.{aggregate}", f"{context}.{aggregate}.{event}"


def packed(offsets: Sequence[int]) -> bytes:
    """Places in a block, in their order. Two bytes each, or a bitmap where that is shorter."""
    if len(offsets) == 1:
        return offsets[0].to_bytes(2, "big")
    if len(offsets) * 2 < _BITMAP:
        return b"".join([offset.to_bytes(2, "big") for offset in offsets])
    bits = bytearray(_BITMAP)
    for offset in offsets:
        bits[offset >> 3] |= 1 << (offset & 7)
    return bytes(bits)


def unpacked(stored: bytes) -> list[int]:
    if len(stored) < _BITMAP:
        return [int.from_bytes(stored[at : at + 2], "big") for at in range(0, len(stored), 2)]
    return [offset for offset in range(BLOCK) if stored[offset >> 3] & (1 << (offset & 7))]


class _Open:
    """The block that is being filled: of each key where it stands."""

    def __init__(self, block: int) -> None:
        self.block = block
        self.earliest: datetime | None = None
        self.latest: datetime | None = None
        self._topics: defaultdict[str, list[int]] = defaultdict(list)
        self._actors: defaultdict[str, list[int]] = defaultdict(list)
        self._sources: defaultdict[str, list[int]] = defaultdict(list)
        self._correlations: defaultdict[str, list[int]] = defaultdict(list)
        # By the number that an id is, because comparing ids takes several times as long.
        self._about: defaultdict[int, list[int]] = defaultdict(list)

    def add(self, position: int, stream: UUID, topic: str, head: Head | Envelope, named: Sequence[UUID]) -> None:
        offset = position % BLOCK
        self._topics[topic].append(offset)
        self._actors[head.actor].append(offset)
        self._sources[head.source].append(offset)
        self._correlations[head.correlation_id].append(offset)
        self._about[stream.int].append(offset)
        for id in named:
            about = self._about[id.int]
            if not about or about[-1] != offset:  # named twice, or the stream itself
                about.append(offset)
        at = head.at
        if self.earliest is None or at < self.earliest:
            self.earliest = at
        if self.latest is None or at > self.latest:
            self.latest = at

    def rows(self) -> Iterator[tuple[int, int, bytes]]:
        """One for each key. Should two keys be one, it is found in both places."""
        merged: dict[int, list[int]] = {}
        for key, offsets in self._keys():
            if (known := merged.get(key)) is None:
                merged[key] = offsets
            else:
                merged[key] = sorted({*known, *offsets})
        for key, offsets in merged.items():
            yield key, self.block, packed(offsets)

    def _keys(self) -> Iterator[tuple[int, list[int]]]:
        kinds: tuple[Kind, Kind, Kind] = ("context", "aggregate", "event")
        for topic, offsets in self._topics.items():
            for kind, name in zip(kinds, names_of(topic), strict=True):
                yield key_of(kind, name), offsets
        for actor, offsets in self._actors.items():
            yield key_of("actor", actor), offsets
        for source, offsets in self._sources.items():
            yield key_of("source", source), offsets
        for correlation, offsets in self._correlations.items():
            yield key_of("correlation", correlation), offsets
        for id, offsets in self._about.items():
            yield key_of("about", str(UUID(int=id))), offsets


class AuditTrail:
    """The read model `trail`."""

    name: ClassVar[str] = "trail"
    version: ClassVar[int] = 1
    tables: ClassVar[Sequence[sa.Table]] = (AUDIT_KEYS, AUDIT_BLOCKS)

    def __init__(self) -> None:
        self._open = _Open(0)
        self._next = 0

    async def apply(self, batch: Sequence[Recorded], to: Target) -> None:
        if batch[0].position != self._next:
            await self._begin(batch[0].position, to)
        self._next = 0  # until all of it is done
        for one in batch:
            block = one.position // BLOCK
            if block != self._open.block:
                await self._close(to)
                self._open = _Open(block)
            self._open.add(one.position, one.aggregate_id, one.event.topic, one.envelope, _ids_in(one.event))
        self._next = batch[-1].position + 1

    async def _begin(self, position: int, to: Target) -> None:
        """What stands in the block before the position."""
        self._open = _Open(position // BLOCK)
        cursor = to.connection.cursor(binary=True)
        await cursor.execute(
            f"SELECT notification_id, originator_id, topic, {STORED} FROM events"
            " WHERE notification_id >= %s AND notification_id < %s ORDER BY notification_id".encode(),
            (list(NAMING), self._open.block * BLOCK, position),
        )
        for at, stream, topic, state in await cursor.fetchall():
            self._open.add(at, stream, topic, head_of(state), ids_named_in(topic, state))

    async def _close(self, to: Target) -> None:
        cursor = to.connection.cursor()
        async with cursor.copy(f"COPY {to.name(AUDIT_KEYS)} FROM STDIN (FORMAT BINARY)".encode()) as copy:
            # In one piece: row by row costs as much as all the rest.
            await copy.write(_copied(sorted(self._open.rows())))
        await cursor.execute(
            f"INSERT INTO {to.name(AUDIT_BLOCKS)} VALUES (%s, %s, %s)".encode(),
            (self._open.block, self._open.earliest, self._open.latest),
        )


_ROW = struct.Struct("!hiqiqi").pack
_BEGIN, _END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


def _copied(rows: Sequence[tuple[int, int, bytes]]) -> bytes:
    """Rows of two numbers and bytes as COPY has them in binary: how many fields, and the length before each."""
    fields = [_ROW(3, 8, key, 8, block, len(offsets)) + offsets for key, block, offsets in rows]
    return b"".join([_BEGIN, *fields, _END])
