"""What is in NATS, looked at as a downstream subscriber does."""

from typing import NamedTuple

import nats
import psycopg
from nats.js.api import ConsumerConfig, DeliverPolicy


class Copied(NamedTuple):
    """A message: its sequence in the stream, and what it says about the event."""

    sequence: int
    position: int
    event_id: str


async def everything(nats_url: str, head: int) -> list[Copied]:
    """All messages of the stream as a subscriber gets them that starts at the beginning, up to position `head`.

    Raises TimeoutError when they do not come.
    """
    connection = await nats.connect(nats_url)
    copied: list[Copied] = []
    try:
        subscription = await connection.jetstream().subscribe(
            "tidemark.events.>",
            stream="EVENTS",
            ordered_consumer=True,
            config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL),
        )
        while not copied or copied[-1].position < head:
            message = await subscription.next_msg(timeout=60)
            headers = message.headers or {}
            copied.append(Copied(message.metadata.sequence.stream, int(headers["ce-sequence"]), headers["ce-id"]))
    finally:
        await connection.close()
    return copied


def log_ids(postgres_url: str) -> list[str]:
    """The ids of all events of the log, in order."""
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute(
            "SELECT convert_from(state, 'utf8')::jsonb ->> 'id' FROM events ORDER BY notification_id"
        ).fetchall()
    return [row[0] for row in rows]
