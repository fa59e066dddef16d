"""The `state:` store (contract 3.4): the newest messages, at most 100,000 and at most 30 days old."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, NamedTuple

import sqlalchemy as sa

from domain.devices.state_message import StateMessageReceived
from projections.batch import Batch
from projections.database import METADATA, Database, storable
from projections.readmodel import Target

MOST = 100_000
OLDEST = timedelta(days=30)
PAGE = 100

# `number` counts all messages there ever were, so that the oldest are found without counting what is there.
MESSAGES = sa.Table(
    "state_messages",
    METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
)


class StateMessageStore:
    """The read model `state_messages`. What is too old is told by the times of the messages themselves and no clock,
    so that a rebuild comes to the same."""

    name: ClassVar[str] = "state_messages"
    version: ClassVar[int] = 1
    tables: ClassVar[Sequence[sa.Table]] = (MESSAGES,)

    async def apply(self, batch: Batch, to: Target) -> None:
        arrived = [
            (one, one.event) for one in batch.of(StateMessageReceived) if isinstance(one.event, StateMessageReceived)
        ]
        if not arrived:
            return
        name = to.name(MESSAGES)
        cursor = await to.connection.execute(f"SELECT coalesce(max(number), 0) FROM {name}".encode())
        row = await cursor.fetchone()
        number: int = row[0] if row else 0
        columns = "id, number, topic, payload, received_at"
        async with to.connection.cursor().copy(f"COPY {name} ({columns}) FROM STDIN".encode()) as copy:
            for recorded, event in arrived:
                number += 1
                topic, payload = storable(event.mqtt_topic), storable(event.payload)
                await copy.write_row((recorded.position, number, topic, payload, recorded.envelope.at))
        newest = arrived[-1][0].envelope.at
        await to.connection.execute(
            f"DELETE FROM {name} WHERE number <= %s OR received_at < %s".encode(), (number - MOST, newest - OLDEST)
        )


class MessageRow(NamedTuple):
    id: int
    payload: str
    timestamp: datetime
    topic: str


class MessageQueries:
    """Queries. The newest first, a hundred a page."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, page: int) -> "list[MessageRow]":
        return [MessageRow._make(row) for row in await self._database.all(_LIST, limit=PAGE, offset=page * PAGE)]


_LIST = (
    sa.select(MESSAGES.c.id, MESSAGES.c.payload, MESSAGES.c.received_at, MESSAGES.c.topic)
    .order_by(MESSAGES.c.id.desc())
    .limit(sa.bindparam("limit", type_=sa.BigInteger))
    .offset(sa.bindparam("offset", type_=sa.BigInteger))
)
