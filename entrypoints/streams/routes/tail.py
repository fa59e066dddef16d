"""A topic as it grows, over SSE, without a group (beyond the contract)."""

import asyncio
import re
from collections.abc import Sequence

import msgspec

from application.streams.messages import Batch, Place
from domain.identifiers import partition_id
from domain.streams.partition import START, Offsets
from domain.streams.topic import check_name, is_log, is_reserved
from entrypoints.streams.door import Door, require_readable
from entrypoints.streams.errors import INVALID_TOPIC, RefusedError, bad_request
from entrypoints.streams.exchange import StreamsExchange
from entrypoints.streams.routes.topics import partitions_of
from projections.as_of import NotKeptError, moment

SIGN_OF_LIFE_SECONDS = 15.0
LOOK_SECONDS = 0.5
LARGEST = 256 * 1024

_HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"connection", b"keep-alive"),
    (b"x-accel-buffering", b"no"),
)
_event_id = re.compile(r"\d{1,18}(,\d{1,18})*").fullmatch
_raw_values = msgspec.json.Decoder(list[msgspec.Raw]).decode


async def tail(door: Door, exchange: StreamsExchange) -> None:
    """From the end, or from `from=earliest`, or behind the `Last-Event-ID`: that is the offset of each partition that
    comes next, with commas between. Until the client hangs up or the process is to end."""
    name = check_name(exchange.named["topic"])
    if is_reserved(name) and not is_log(name):
        raise RefusedError(INVALID_TOPIC)
    require_readable(exchange, [name])
    places = await _begin(door, exchange, name)
    await exchange.begin(200, _HEADERS)
    await exchange.write(b": the topic follows\n\n")
    leaving = asyncio.create_task(exchange.gone(), name="topic tail")
    clock = asyncio.get_running_loop().time
    spoken = clock()
    streams = {partition_id(name, partition) for partition in partitions_of(name)}
    try:
        with door.arrivals.watching(streams, everything=is_log(name)) as watch:
            while not leaving.done() and not door.stopping.is_set():
                if batches := await door.messages.read(places, LARGEST):
                    for chunk in _events(places, batches):
                        await exchange.write(chunk)
                    spoken = clock()
                elif clock() - spoken >= SIGN_OF_LIFE_SECONDS:
                    await exchange.write(b": still here\n\n")
                    spoken = clock()
                else:
                    await watch.arrived(LOOK_SECONDS)
        await exchange.end()
    finally:
        leaving.cancel()


async def _begin(door: Door, exchange: StreamsExchange, name: str) -> list[Place]:
    if moment() is not None:
        raise NotKeptError("as_of: the tail follows what comes; let a group seek there instead")
    partitions = partitions_of(name)
    last = exchange.header(b"last-event-id") or exchange.parameter("lastEventId")
    if last:
        offsets = [int(offset) for offset in last.split(",")] if _event_id(last) else []
        if len(offsets) != len(partitions):
            raise bad_request("Last-Event-ID is not one of this topic")
        return [
            Place(name, partition, await door.places.at_offset(name, partition, offset))
            for partition, offset in zip(partitions, offsets, strict=True)
        ]
    begin = exchange.parameter("from") or "latest"
    if begin not in ("latest", "earliest"):
        raise bad_request("from is latest or earliest")
    if begin == "latest":
        return [Place(name, partition, await door.places.latest(name, partition)) for partition in partitions]
    firsts = {
        row.partition: Offsets(offset=row.first_offset, entries=row.first_entries)
        for row in await door.topics.list_partitions([name])
    }
    return [Place(name, partition, firsts.get(partition, START)) for partition in partitions]


def _events(places: list[Place], batches: Sequence[Batch]) -> Sequence[bytes]:
    """One write for each run of messages. Brings `places` up to date."""
    chunks = []
    for batch in batches:
        for run in batch.runs:
            chunk: list[bytes] = []
            at = msgspec.json.encode(run.at)
            for offset, value in enumerate(_raw_values(b"[" + run.values + b"]"), run.offset):
                places[batch.partition] = Place(batch.name, batch.partition, Offsets(offset=offset + 1))
                id = ",".join([str(place.at.offset) for place in places])
                # A value may be written over several lines; within it they mean nothing.
                shown = bytes(value).replace(b"\r", b" ").replace(b"\n", b"\ndata: ")
                chunk.append(
                    b'id: %s\nevent: message\ndata: {"rangeIndex":%d,"offset":"%d","at":%s,"value":%s}\n\n'
                    % (id.encode(), batch.partition, offset, at, shown)
                )
            chunks.append(b"".join(chunk))
        places[batch.partition] = Place(batch.name, batch.partition, batch.until)
    return chunks
