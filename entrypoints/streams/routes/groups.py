"""Groups: who reads what, how far, and making them read from elsewhere (beyond the contract)."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from application.streams.group import SeekGroup
from domain.streams.group import Group, GroupNotFoundError, Mark, NotReadError
from domain.streams.partition import START, Offsets
from domain.streams.placement import LOWEST
from domain.streams.topic import is_log
from entrypoints.exchange import Answer, position_headers
from entrypoints.streams.door import Door, origin_of, require_readable
from entrypoints.streams.errors import bad_request
from entrypoints.streams.exchange import StreamsExchange
from entrypoints.streams.routes.topics import page_size, partitions_of
from projections.streams.groups import Groups
from projections.streams.topics import Topics


class SeekBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """One of `to`, `offset` and `timestamp`; without `rangeIndex` in all partitions."""

    topic: str
    to: Literal["earliest", "latest"] | None = None
    offset: int | None = None
    timestamp: datetime | None = None
    range_index: int | None = None


async def list_groups(door: Door, exchange: StreamsExchange) -> Answer:
    limit = page_size(exchange)
    seen = await door.positions.fresh(Groups.name)
    groups = await door.groups.list(exchange.parameter("after"), limit)
    body = {
        "groups": [
            {"name": group.name, "members": len(group.members), "topics": list(group.topics)} for group in groups
        ],
        "next": groups[-1].name if len(groups) == limit else None,
    }
    return Answer(msgspec.json.encode(body), headers=position_headers(seen))


async def show_group(door: Door, exchange: StreamsExchange) -> Answer:
    seen, _ = await asyncio.gather(door.positions.fresh(Groups.name), door.positions.fresh(Topics.name))
    group = await _find(door, exchange)
    ends = await _ends(door, group)
    return Answer(msgspec.json.encode(_view(group, ends)), headers=position_headers(seen))


async def seek(door: Door, exchange: StreamsExchange) -> Answer:
    """The group reads on from there with the next poll. What was handed out and not committed is forgotten."""
    sent = await _seek_body(exchange)
    await asyncio.gather(door.positions.fresh(Groups.name), door.positions.fresh(Topics.name))
    group = await _find(door, exchange)
    if sent.topic not in group.lines:
        raise NotReadError(f"The group does not read the topic {sent.topic}")
    partitions = partitions_of(sent.topic)
    if sent.range_index is not None and sent.range_index not in partitions:
        raise bad_request(f"rangeIndex is a number below {len(partitions)}")
    chosen = partitions if sent.range_index is None else [sent.range_index]
    places = await asyncio.gather(*(_place(door, sent, partition) for partition in chosen))
    marks = tuple(
        Mark(name=sent.topic, partition=partition, at=at) for partition, at in zip(chosen, places, strict=True)
    )
    receipt = await door.executor.execute(SeekGroup(group=group.name, marks=marks), origin_of(exchange))
    body = {
        "group": group.name,
        "topic": sent.topic,
        "partitions": [{"rangeIndex": mark.partition, "offset": str(mark.at.offset)} for mark in marks],
    }
    return Answer(msgspec.json.encode(body), headers=((b"tidemark-position", b"%d" % receipt.position),))


async def _find(door: Door, exchange: StreamsExchange) -> Group:
    group = await door.groups.find(exchange.named["group"])
    if group is None:
        raise GroupNotFoundError("Group not found")
    require_readable(exchange, group.lines)
    return group


async def _seek_body(exchange: StreamsExchange) -> SeekBody:
    """A JSON object, or the same as parameters."""
    body = await exchange.message_body(64 * 1024)
    try:
        if body:
            sent = msgspec.json.decode(body, type=SeekBody)
        else:
            given = {
                name: exchange.parameter(name) for name in SeekBody.__struct_encode_fields__ if name in exchange.query
            }
            sent = msgspec.convert(given, SeekBody, strict=False)
    except (msgspec.MsgspecError, RecursionError) as wrong:
        raise bad_request(f"Invalid seek: {wrong}") from None
    if [sent.to, sent.offset, sent.timestamp].count(None) != 2:
        raise bad_request("Say one of to (earliest or latest), offset and timestamp")
    if sent.offset is not None and not 0 <= sent.offset < 2**63:
        raise bad_request("offset is not negative")
    if sent.timestamp is not None and sent.timestamp.tzinfo is None:
        raise bad_request("timestamp has an offset from UTC, such as Z")
    return sent


async def _place(door: Door, sent: SeekBody, partition: int) -> Offsets:
    if sent.offset is not None:
        return await door.places.at_offset(sent.topic, partition, sent.offset)
    if sent.timestamp is not None:
        return await door.places.at_time(sent.topic, partition, sent.timestamp)
    if sent.to == "latest":
        return await door.places.latest(sent.topic, partition)
    rows = await door.topics.list_partitions([sent.topic])
    return next(
        (Offsets(offset=row.first_offset, entries=row.first_entries) for row in rows if row.partition == partition),
        START,
    )


async def _ends(door: Door, group: Group) -> Mapping[tuple[str, int], int]:
    rows = await door.topics.list_partitions([name for name in group.lines if not is_log(name)])
    ends = {(row.name, row.partition): row.messages for row in rows}
    if logs := [name for name in group.lines if is_log(name)]:
        head = await door.head()
        ends |= {(name, 0): head + 1 for name in logs}
    return ends


def _view(group: Group, ends: Mapping[tuple[str, int], int]) -> dict[str, Any]:
    owners = {partition: id for id, mine in group.partitions.items() for partition in mine}
    partitions: Sequence[dict[str, Any]] = [
        {
            "topic": name,
            "token": str(LOWEST),
            "rangeIndex": partition,
            "owner": owners.get(partition) if name in group.topics else None,
            "committedOffset": str(line.committed.offset),
            "deliveredOffset": str((line.handed or line.committed).offset),
            "endOffset": str(end := max(ends.get((name, partition), 0), line.committed.offset)),
            "lag": end - line.committed.offset,
        }
        for name, lines in group.lines.items()
        for partition, line in enumerate(lines)
    ]
    return {
        "name": group.name,
        "topics": list(group.topics),
        "members": [
            {"consumerId": id, "topics": list(topics), "rangeIndexes": list(group.partitions.get(id, ()))}
            for id, topics in group.members.items()
        ],
        "partitions": partitions,
        "lag": sum(one["lag"] for one in partitions if one["topic"] in group.topics),
    }
