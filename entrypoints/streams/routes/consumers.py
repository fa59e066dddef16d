"""Consumers: registering, polling, committing, leaving (contract streams 4)."""

import asyncio
from collections.abc import Callable

from application.streams.consumer import CommitPositions, RegisterConsumer, UnregisterConsumer
from application.streams.polling import Polled
from domain.streams.group import Group
from domain.streams.topic import check_name, is_log, is_reserved
from entrypoints.exchange import Answer, retry_after
from entrypoints.streams.door import Door, origin_of, require_readable
from entrypoints.streams.errors import INVALID_TOPIC, RefusedError, bad_request
from entrypoints.streams.exchange import StreamsExchange, readable
from entrypoints.streams.routes.produce import HTML
from entrypoints.streams.views import BINARY_TYPES, poll_binary, poll_json

LONGEST_ID = 1_000
LONGEST_WAIT_MS = 60_000

_NO_STORE = (b"cache-control", b"no-store")
_NOTHING_NEW = Answer(b"", 204, (_NO_STORE, retry_after(1)), type=b"")
_NO_PARTITIONS = Answer(b"", 204, (_NO_STORE, retry_after(5)), type=b"")
_MOVED = Answer(b"", 204, (_NO_STORE,), type=b"")
_OK = Answer(b"OK", type=HTML)
_ALREADY = Answer(b"Already registered", type=HTML)

_POLICIES = {"": False, "startFromLatest": False, "startFromEarliest": True}


async def register(door: Door, exchange: StreamsExchange) -> Answer:
    """200 when every process knows it, and where it begins to read is settled."""
    consumer_id = _id(exchange)
    if not consumer_id:
        raise bad_request("Invalid ConsumerInfo payload")  # who has no id is bound to his connection: not offered
    policy = exchange.parameter("onNewGroup")
    if policy not in _POLICIES:
        raise bad_request("Invalid offset reset policy value")
    topics = tuple(check_name(readable(name)) for name in exchange.query.get("topic", ()) if name)
    if not topics:
        raise bad_request("Consumer id and topics can not be empty")
    if any(is_reserved(name) and not is_log(name) for name in topics):
        raise RefusedError(INVALID_TOPIC)
    group = exchange.parameter("group") or "default"
    if max(len(consumer_id), len(group)) > LONGEST_ID:
        raise bad_request(f"Consumer id and group have {LONGEST_ID} characters at most")
    require_readable(exchange, topics)
    await door.sessions.begin(consumer_id)
    command = RegisterConsumer(
        consumer_id=consumer_id,
        actor=origin_of(exchange).actor,
        group=group,
        topics=topics,
        from_earliest=_POLICIES[policy],
        head=await door.head() if any(map(is_log, topics)) else 0,
    )
    receipt = await door.executor.execute(command, origin_of(exchange))
    return _OK if receipt.events else _ALREADY


async def poll(door: Door, exchange: StreamsExchange) -> Answer | None:
    """What comes next, as JSON unless the binary form is asked for. With `waitMs` it is waited for so long."""
    consumer_id = _id(exchange)
    wait = _wait(exchange.parameter("waitMs"))
    polled = await (_wait_for(door, exchange, consumer_id, wait) if wait else _poll(door, exchange, consumer_id))
    if not polled.batches:
        return _MOVED if polled.moved else _NOTHING_NEW if polled.has_partitions else _NO_PARTITIONS
    accepted = exchange.header(b"accept") or ""
    arrived = False
    try:
        if (binary := next((kind for kind in BINARY_TYPES if kind in accepted), None)) is not None:
            answer = Answer(poll_binary(polled.batches), type=binary.encode())
        else:
            answer = Answer(poll_json(polled.batches))
        arrived = await exchange.deliver(answer)
    finally:
        door.deliveries.tell(consumer_id, polled.id, arrived=arrived)
    return None


async def _poll(door: Door, exchange: StreamsExchange, consumer_id: str) -> Polled:
    return await door.poller.poll(consumer_id, origin_of(exchange), _reading(exchange))


async def _wait_for(door: Door, exchange: StreamsExchange, consumer_id: str, wait: float) -> Polled:
    """Only as long as somebody is there."""
    leaving = asyncio.create_task(exchange.gone())
    try:
        return await door.poller.poll(
            consumer_id,
            origin_of(exchange),
            _reading(exchange),
            wait,
            lambda: not leaving.done() and not door.stopping.is_set(),
        )
    finally:
        leaving.cancel()


async def commit(door: Door, exchange: StreamsExchange) -> Answer:
    consumer_id = _id(exchange)
    origin = origin_of(exchange)
    receipt = await door.deliveries.settling(
        consumer_id,
        lambda outcome: door.executor.execute(
            CommitPositions(consumer_id=consumer_id, actor=origin.actor, outcome=outcome), origin
        ),
    )
    door.sessions.hear(consumer_id)
    group = receipt.state
    has_partitions = isinstance(group, Group) and consumer_id in group.partitions
    return _NOTHING_NEW if has_partitions else Answer(b"", type=b"")


async def goodbye(door: Door, exchange: StreamsExchange) -> Answer:
    """What it had goes to the others at once."""
    consumer_id = _id(exchange)
    commits = exchange.parameter("commit").lower() != "false"
    origin = origin_of(exchange)
    await door.deliveries.settling(
        consumer_id,
        lambda outcome: door.executor.execute(
            UnregisterConsumer(consumer_id=consumer_id, actor=origin.actor, commit=commits, outcome=outcome), origin
        ),
    )
    return _OK


def _reading(exchange: StreamsExchange) -> Callable[[Group], None]:
    """Who reads in a group that reads the log needs what the log needs, since each gets every topic."""
    return lambda group: require_readable(exchange, group.topics)


def _id(exchange: StreamsExchange) -> str:
    return exchange.parameter("consumerId", "consumer_id")


def _wait(given: str) -> float:
    if not given:
        return 0.0
    if not (given.isascii() and given.isdigit()):
        raise bad_request("waitMs is a number of milliseconds")
    return min(int(given[:9]), LONGEST_WAIT_MS) / 1000
