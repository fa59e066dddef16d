"""The index of the log by who, what, through what and in which conversation, block by block (docs/adr/0020).

A block is written once, when it is full. What it holds until then is in this process, and read again from the log when
that was lost or belongs to a batch that was rolled back.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import ClassVar, Literal, TypeVar
from uuid import UUID
from zlib import crc32

import msgspec
import sqlalchemy as sa

from domain.catalogue import CATALOGUE
from domain.event import Envelope, Event, Recorded
from domain.value import Value
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
        return b"".join([offset.to_bytes(2, "big") for offset in offsets])
    bits = bytearray(_BITMAP)
    for offset in offsets:
        bits[offset >> 3] |= 1 << (offset & 7)
    return bytes(bits)


def unpacked(stored: bytes) -> list[int]:
    if len(stored) < _BITMAP:
        return [int.from_bytes(stored[at : at + 2], "big") for at in range(0, len(stored), 2)]
    return [offset for offset in range(BLOCK) if stored[offset >> 3] & (1 << (offset & 7))]


Places = int | list[int]
"""One place in a block, or several."""


class _Open:
    """The block that is being filled: what there is to find of each of its events, in their order from `first` on."""

    def __init__(self, first: int) -> None:
        self.block = first // BLOCK
        self.times: list[datetime] = []
        self._first = first % BLOCK
        self._topics: list[str] = []
        self._actors: list[str] = []
        self._sources: list[str] = []
        self._correlations: list[str] = []
        # As numbers, because comparing ids takes several times as long.
        self._streams: list[int] = []
        self._named: list[tuple[int, int]] = []

    def add(self, events: Sequence[Recorded]) -> None:
        for number, one in enumerate(events, self._first + len(self.times)):
            for id in _ids_in(one.event):
                self._named.append((number, id.int))
        self._extend([(one.aggregate_id, one.event.topic, one.envelope) for one in events])

    def add_stored(self, events: Sequence[tuple[UUID, str, bytes]]) -> None:
        for number, (_, topic, state) in enumerate(events, self._first + len(self.times)):
            for id in ids_named_in(topic, state):
                self._named.append((number, id.int))
        self._extend([(stream, topic, head_of(state)) for stream, topic, state in events])

    def _extend(self, heads: Sequence[tuple[UUID, str, Head | Envelope]]) -> None:
        self._streams += [stream.int for stream, _, _ in heads]
        self._topics += [topic for _, topic, _ in heads]
        self._actors += [head.actor for _, _, head in heads]
        self._sources += [head.source for _, _, head in heads]
        self._correlations += [head.correlation_id for _, _, head in heads]
        self.times += [head.at for _, _, head in heads]

    def rows(self) -> Mapping[int, Places]:
        """Where each key is. Should two keys be one, it is in both places."""
        found: dict[int, Places] = {}
        for key, places in self._keys():
            known = found.get(key)
            found[key] = places if known is None else sorted({*_several(known), *_several(places)})
        return found

    def _keys(self) -> Iterator[tuple[int, Places]]:
        kinds: tuple[Kind, Kind, Kind] = ("context", "aggregate", "event")
        for topic, places in self._grouped(self._topics).items():
            for kind, name in zip(kinds, names_of(topic), strict=True):
                yield key_of(kind, name), places
        for actor, places in self._grouped(self._actors).items():
            yield key_of("actor", actor), places
        for source, places in self._grouped(self._sources).items():
            yield key_of("source", source), places
        conversation = _KINDS["correlation"]
        for correlation, places in self._grouped(self._correlations).items():  # as many as there are events
            yield conversation | crc32(correlation.encode(errors="surrogatepass")), places
        about = self._grouped(self._streams)
        for place, id in self._named:
            known = about.get(id)
            if isinstance(known, list):
                known.append(place)
            else:
                about[id] = place if known is None else [known, place]
        for id in {id for _, id in self._named}:
            about[id] = sorted({*_several(about[id])})
        for id, places in about.items():
            yield key_of("about", UUID(int=id)), places

    def _grouped(self, values: Sequence[V]) -> dict[V, Places]:
        """Most stand in one place only, and a list for each would cost as much as all the rest."""
        groups: dict[V, Places] = {}
        for place, value in enumerate(values, self._first):
            known = groups.get(value)
            if known is None:
                groups[value] = place
            elif isinstance(known, list):
                known.append(place)
            else:
                groups[value] = [known, place]
        return groups


def _several(places: Places) -> list[int]:
    return places if isinstance(places, list) else [places]


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
        end = batch[-1].position + 1
        while batch:
            here = (self._open.block + 1) * BLOCK - batch[0].position
            self._open.add(batch[:here])
            batch = batch[here:]
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
        async with cursor.copy(f"COPY {to.name(AUDIT_KEYS)} FROM STDIN (FORMAT BINARY)".encode()) as copy:
            # In one piece: row by row costs as much as all the rest.
            await copy.write(_copied(self._open.block, self._open.rows()))
        await cursor.execute(
            f"INSERT INTO {to.name(AUDIT_BLOCKS)} VALUES (%s, %s, %s)".encode(),
            (self._open.block, min(self._open.times), max(self._open.times)),
        )


_ONE = struct.Struct("!hiqiqiH").pack
_ROW = struct.Struct("!hiqiqi").pack
_BEGIN, _END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


def _copied(block: int, rows: Mapping[int, Places]) -> bytes:
    """Rows as COPY has them in binary: how many fields, and the length before each. In the order of the keys, so that
    PostgreSQL goes through its index once."""
    fields = [_BEGIN]
    for key in sorted(rows):
        places = rows[key]
        if isinstance(places, list):
            offsets = packed(places)
            fields.append(_ROW(3, 8, key, 8, block, len(offsets)) + offsets)
        else:
            fields.append(_ONE(3, 8, key, 8, block, 2, places))
    return b"".join([*fields, _END])
