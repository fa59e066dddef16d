"""The index of the log by who, what, through what and in which conversation, block by block (docs/adr/0020).

A block is written once, when it is full. What it holds until then is in this process, and read again from the log when
that was lost or belongs to a batch that was rolled back.
"""

import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import ClassVar, Literal, TypeVar
from uuid import UUID
from zlib import crc32

import msgspec
import sqlalchemy as sa

from domain.catalogue import CATALOGUE
from domain.event import Envelope, Event
from domain.value import Value
from projections.batch import Batch
from projections.copying import BEGIN, END, numbers, rows
from projections.database import METADATA
from projections.readmodel import Target

V = TypeVar("V", str, int)

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

_Groups = defaultdict[V, list[int]]

Kind = Literal["context", "aggregate", "event", "actor", "source", "correlation", "about"]

# The time of an event, in SQL. It stands at the same place in every one: {"id":"…36…","at":"
AT = "split_part(convert_from(substring(state FROM 52 FOR 28), 'UTF8'), '\"', 1)::timestamptz"

# The envelope stands before the data and does not need it.
HEAD_BYTES = 700
_DATA = b',"data":'
_BITMAP = BLOCK // 8
_ONE = ord("1")


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
    names = _id_fields(type(event))
    return [id for name in names if type(id := getattr(event, name)) is UUID] if names else ()


@cache
def _id_fields(event: type[Event]) -> Sequence[str]:
    return [name for name in event.__struct_fields__ if name.endswith("_id")]


NAMING = frozenset(topic for topic, event in CATALOGUE.by_topic.items() if _id_fields(event))
"""The topics of events that name things by their ids."""

# Of those the whole is read, of others the beginning: what messages bring may be large.
STORED = f"CASE WHEN topic = ANY(%s) THEN state ELSE substring(state FOR {HEAD_BYTES}) END"


_ORDER: tuple[Kind, ...] = ("context", "aggregate", "event", "actor", "source", "correlation", "about")
_KINDS: Mapping[Kind, int] = {kind: number << 32 for number, kind in enumerate(_ORDER, 1)}


def key_of(kind: Kind, value: str | UUID) -> int:
    """Two share one now and then: whoever searches looks at the event as well. A better hash costs five times as
    much, and that is most of what the index costs."""
    return _KINDS[kind] | crc32(value.bytes if isinstance(value, UUID) else value.encode(errors="surrogatepass"))


@cache
def names_of(topic: str) -> tuple[str, str, str]:
    """The context, the kind of aggregate and the event that a topic names, without its version."""
    context, aggregate, event = topic.split(".")[:3]
    return context, f"{context}.{aggregate}", f"{context}.{aggregate}.{event}"


def packed(offsets: Sequence[int]) -> bytes:
    """Places in a block, in their order. Two bytes each, or a bitmap where that is shorter."""
    if len(offsets) * 2 < _BITMAP:
        return struct.pack(f"!{len(offsets)}H", *offsets)
    bits = bytearray(b"0" * BLOCK)
    for offset in offsets:
        bits[~offset] = _ONE
    return int(bits, 2).to_bytes(_BITMAP, "little")


def unpacked(stored: bytes) -> list[int]:
    if len(stored) < _BITMAP:
        return [int.from_bytes(stored[at : at + 2], "big") for at in range(0, len(stored), 2)]
    return [offset for offset in range(BLOCK) if stored[offset >> 3] & (1 << (offset & 7))]


class _Open:
    """The block that is being filled: where in it each topic, actor and so on is found, from the place `first` on."""

    def __init__(self, first: int) -> None:
        self.block = first // BLOCK
        self.times: list[datetime] = []
        self._first = first % BLOCK
        self._topics: _Groups[str] = defaultdict(list)
        self._actors: _Groups[str] = defaultdict(list)
        self._sources: _Groups[str] = defaultdict(list)
        self._correlations: list[str] = []
        # As numbers, because comparing ids takes several times as long.
        self._streams: _Groups[int] = defaultdict(list)
        self._named: _Groups[int] = defaultdict(list)

    def add(self, events: Batch) -> None:
        """All of them of this block."""
        self._extend([one.aggregate_id for one in events], [one.envelope for one in events])
        begin = self.block * BLOCK
        for topic, of_topic in events.kinds.items():
            places = [one.position - begin for one in of_topic]
            self._topics[topic] += places
            for name in _id_fields(type(of_topic[0].event)):
                for place, id in zip(places, map(attrgetter(f"event.{name}"), of_topic), strict=True):
                    if type(id) is UUID:
                        self._named[id.int].append(place)

    def add_stored(self, events: Sequence[tuple[UUID, str, bytes]]) -> None:
        for place, (_, topic, state) in enumerate(events, self._first + len(self.times)):
            self._topics[topic].append(place)
            for id in ids_named_in(topic, state):
                self._named[id.int].append(place)
        self._extend([stream for stream, _, _ in events], [head_of(state) for _, _, state in events])

    def _extend(self, streams: Sequence[UUID], heads: Sequence[Head | Envelope]) -> None:
        for place, (stream, head) in enumerate(zip(streams, heads, strict=True), self._first + len(self.times)):
            self._streams[stream.int].append(place)
            self._actors[head.actor].append(place)
            self._sources[head.source].append(place)
        self._correlations += [head.correlation_id for head in heads]
        self.times += [head.at for head in heads]

    def alone(self) -> Mapping[int, int]:
        """Where each conversation is, if each has one event only, as most have; otherwise nothing."""
        places = range(self._first, self._first + len(self._correlations))
        alone = dict(zip(map(_conversation, self._correlations), places, strict=True))
        return alone if len(alone) == len(places) else {}

    def several(self, conversations: bool) -> Mapping[int, Sequence[int]]:
        """Where each other key is. Should two keys be one, it is in both places."""
        found: dict[int, Sequence[int]] = {}
        for key, places in self._keys(conversations):
            known = found.get(key)
            found[key] = places if known is None else sorted({*known, *places})
        return found

    def _keys(self, conversations: bool) -> Iterator[tuple[int, Sequence[int]]]:
        kinds: tuple[Kind, Kind, Kind] = ("context", "aggregate", "event")
        for topic, places in self._topics.items():
            for kind, name in zip(kinds, names_of(topic), strict=True):
                yield key_of(kind, name), places
        for actor, places in self._actors.items():
            yield key_of("actor", actor), places
        for source, places in self._sources.items():
            yield key_of("source", source), places
        about = _KINDS["about"]
        for id, places in self._streams.items():
            yield about | crc32(id.to_bytes(16, "big")), places
        for id, places in self._named.items():
            yield about | crc32(id.to_bytes(16, "big")), sorted({*places})
        if conversations:
            groups: _Groups[int] = defaultdict(list)
            for place, correlation in enumerate(self._correlations, self._first):
                groups[_conversation(correlation)].append(place)
            yield from groups.items()


def _conversation(correlation: str) -> int:
    return _KINDS["correlation"] | crc32(correlation.encode(errors="surrogatepass"))


class AuditTrail:
    """The read model `trail`."""

    name: ClassVar[str] = "trail"
    version: ClassVar[int] = 1
    tables: ClassVar[Sequence[sa.Table]] = (AUDIT_KEYS, AUDIT_BLOCKS)

    def __init__(self) -> None:
        self._open = _Open(0)
        self._next = 0

    async def apply(self, batch: Batch, to: Target) -> None:
        if batch[0].position != self._next:
            await self._begin(batch[0].position, to)
        self._next = 0  # until all of it is done
        end = batch[-1].position + 1
        while batch:
            here = (self._open.block + 1) * BLOCK - batch[0].position
            self._open.add(batch if here >= len(batch) else Batch(batch[:here]))
            batch = Batch(batch[here:])
            if batch:
                await self._close(to)
                self._open = _Open(batch[0].position)
        self._next = end

    async def _begin(self, position: int, to: Target) -> None:
        """What stands in the block before the position."""
        first = max(1, position // BLOCK * BLOCK)
        self._open = _Open(first)
        cursor = to.connection.cursor(binary=True)
        await cursor.execute(
            f"SELECT originator_id, topic, {STORED} FROM events"
            " WHERE notification_id >= %s AND notification_id < %s ORDER BY notification_id".encode(),
            (list(NAMING), first, position),
        )
        self._open.add_stored(await cursor.fetchall())

    async def _close(self, to: Target) -> None:
        cursor = to.connection.cursor()
        alone = self._open.alone()
        async with cursor.copy(f"COPY {to.name(AUDIT_KEYS)} FROM STDIN (FORMAT BINARY)".encode()) as copy:
            # In one piece: row by row costs as much as all the rest.
            await copy.write(_copied(self._open.block, alone, self._open.several(conversations=not alone)))
        await cursor.execute(
            f"INSERT INTO {to.name(AUDIT_BLOCKS)} VALUES (%s, %s, %s)".encode(),
            (self._open.block, min(self._open.times), max(self._open.times)),
        )


_ROW = struct.Struct("!hiqiqi").pack


def _copied(block: int, alone: Mapping[int, int], several: Mapping[int, Sequence[int]]) -> bytes:
    """Each in the order of the keys, so that PostgreSQL goes through its index twice and not here and there."""
    keys = sorted(alone)
    places = [alone[key] for key in keys]
    made = [BEGIN, rows(numbers("q", keys), numbers("q", [block] * len(keys)), numbers("H", places))]
    for key in sorted(several):
        offsets = packed(several[key])
        made.append(_ROW(3, 8, key, 8, block, len(offsets)) + offsets)
    return b"".join([*made, END])
