"""Taking messages (contract streams 3)."""

from hashlib import sha256

from application.command import Command
from application.streams.produce import ProduceMessages, ProduceOnce
from domain.streams.placement import partition_of
from domain.streams.submission import LONGEST_KEY
from domain.streams.topic import check_name, is_reserved
from entrypoints.exchange import Answer, TooLargeError
from entrypoints.streams.bodies.messages import messages_in
from entrypoints.streams.door import Door, origin_of
from entrypoints.streams.errors import INVALID_TOPIC, RefusedError, bad_request, content_length, line
from entrypoints.streams.exchange import StreamsExchange

HTML = b"text/html; charset=utf-8"


async def produce(door: Door, exchange: StreamsExchange) -> Answer:
    """200 when the messages are on disk. They can be read from then on."""
    name = check_name(exchange.named["topic"])
    if is_reserved(name):
        raise RefusedError(INVALID_TOPIC)
    length = exchange.content_length
    if not length and not exchange.is_chunked:
        raise content_length(door.largest)
    async with door.room.taken(length or door.largest):
        try:
            body = await exchange.message_body(door.largest)
        except TooLargeError:
            raise content_length(door.largest, close=True) from None
        if not body:
            raise content_length(door.largest)
        count, values = messages_in(body, exchange.header(b"content-type"))
        key = exchange.query.get("partitionKey", ("",))[0]
        partition = partition_of(key) if key else door.next_partition()
        command = _once(
            exchange, ProduceMessages(name=name, partition=partition, count=count, values=values), key, body
        )
        receipt = await door.executor.execute(command, origin_of(exchange))
    return Answer(b"OK", headers=((b"tidemark-position", b"%d" % receipt.position),), type=HTML)


def _once(exchange: StreamsExchange, messages: ProduceMessages, partition_key: str, body: bytes) -> Command:
    """What has an `Idempotency-Key` is taken once a day, whoever sends it again."""
    key = exchange.header(b"idempotency-key")
    if key is None:
        return messages
    if not key or len(key) > LONGEST_KEY:
        raise bad_request(f"An Idempotency-Key has 1 to {LONGEST_KEY} characters")
    digest = sha256(partition_key.encode(errors="surrogateescape") + b"\0" + body).hexdigest()[:32]
    return ProduceOnce(messages=messages, actor=origin_of(exchange).actor, key=key, digest=digest)


async def refuse_reading(door: Door, exchange: StreamsExchange) -> Answer:
    """So the contract has it (3.2): nothing is read where it is produced."""
    return line(405, "Producer server doesn't allow getting topic messages")
