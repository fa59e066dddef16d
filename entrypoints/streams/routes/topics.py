"""Topics: which there are, how much is in them, how much of them is kept (beyond the contract)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from application.streams.topic import SetRetention
from domain.streams.placement import LOWEST, RANGES
from domain.streams.topic import LOG_TOPICS, Disposal, Retention, check_name, is_log, is_reserved
from entrypoints.exchange import Answer, position_headers
from entrypoints.streams.door import Door, origin_of, require_readable
from entrypoints.streams.errors import INVALID_TOPIC, RefusedError, bad_request, said
from entrypoints.streams.exchange import StreamsExchange
from projections.as_of import clock
from projections.streams.topics import PartitionRow, Topics

PAGE, LARGEST_PAGE = 100, 1_000

NO_TOPIC = said(404, "Topic not found")


class RetentionBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Absent or null: no limit."""

    max_age_days: int | None = None
    max_bytes: int | None = None
    disposal: Disposal = "drop"


async def list_topics(door: Door, exchange: StreamsExchange) -> Answer:
    """A page of them, in the order of their names. `next` is what the next page begins `after`."""
    limit = page_size(exchange)
    seen = await door.positions.fresh(Topics.name)
    names = await door.topics.list_names(exchange.parameter("after"), limit)
    partitions = _by_name(await door.topics.list_partitions(names))
    now = await clock()
    body = {
        "topics": [{"name": name, **_sums(partitions[name], now)} for name in names],
        "builtIn": list(LOG_TOPICS),
        "next": names[-1] if len(names) == limit else None,
    }
    return Answer(msgspec.json.encode(body), headers=position_headers(seen))


async def show_topic(door: Door, exchange: StreamsExchange) -> Answer:
    name = exchange.named["topic"]
    require_readable(exchange, [name])
    seen = await door.positions.fresh(Topics.name)
    if is_log(name):
        head = await door.head()
        return Answer(msgspec.json.encode(_log_view(name, head)), headers=position_headers(seen))
    partitions = await door.topics.list_partitions([name])
    if not partitions:
        raise RefusedError(NO_TOPIC)
    now = await clock()
    body = {
        "name": name,
        **_sums(partitions, now),
        "retention": _retention_view(await door.topics.retention(name)),
        "partitions": [_partition_view(row, now) for row in partitions],
    }
    return Answer(msgspec.json.encode(body), headers=position_headers(seen))


async def set_retention(door: Door, exchange: StreamsExchange) -> Answer:
    """Also of a topic that nobody has produced to yet."""
    name = check_name(exchange.named["topic"])
    if is_reserved(name):
        raise RefusedError(INVALID_TOPIC)
    try:
        sent = msgspec.json.decode(await exchange.message_body(64 * 1024), type=RetentionBody)
    except (msgspec.MsgspecError, RecursionError) as wrong:
        raise bad_request(f"Invalid retention: {wrong}") from None
    retention = Retention(max_age_days=sent.max_age_days, max_bytes=sent.max_bytes, disposal=sent.disposal)
    receipt = await door.executor.execute(SetRetention(name=name, retention=retention), origin_of(exchange))
    headers = ((b"tidemark-position", b"%d" % receipt.position),)
    return Answer(msgspec.json.encode(_retention_view(retention)), headers=headers)


def page_size(exchange: StreamsExchange) -> int:
    given = exchange.parameter("limit")
    if not given:
        return PAGE
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= LARGEST_PAGE):
        raise bad_request(f"limit is a number from 1 to {LARGEST_PAGE}")
    return int(given)


def _by_name(rows: Sequence[PartitionRow]) -> Mapping[str, list[PartitionRow]]:
    by_name: defaultdict[str, list[PartitionRow]] = defaultdict(list)
    for row in rows:
        by_name[row.name].append(row)
    return by_name


def _sums(rows: Sequence[PartitionRow], now: datetime) -> dict[str, Any]:
    return {
        "messages": sum(row.messages - row.first_offset for row in rows),
        "bytes": sum(row.bytes for row in rows),
        "messagesPerSecond": round(sum(row.rate_at(now) for row in rows), 3),
        "lastAt": max(row.last_at for row in rows).astimezone(UTC),
    }


def _partition_view(row: PartitionRow, now: datetime) -> dict[str, Any]:
    return {
        "token": str(LOWEST),
        "rangeIndex": row.partition,
        "startOffset": str(row.first_offset),
        "endOffset": str(row.messages),
        "bytes": row.bytes,
        "messagesPerSecond": round(row.rate_at(now), 3),
        "firstAt": row.first_at.astimezone(UTC),
        "lastAt": row.last_at.astimezone(UTC),
    }


def _log_view(name: str, head: int) -> dict[str, Any]:
    """Its offsets are positions of the log, so nobody knows how many of them are its own."""
    only = {"token": str(LOWEST), "rangeIndex": 0, "startOffset": "1", "endOffset": str(head + 1)}
    return {"name": name, "partitions": [only]}


def _retention_view(retention: Retention) -> dict[str, Any]:
    return {
        "maxAgeDays": retention.max_age_days,
        "maxBytes": retention.max_bytes,
        "disposal": retention.disposal,
    }


def partitions_of(name: str) -> range:
    return range(1 if is_log(name) else RANGES)
