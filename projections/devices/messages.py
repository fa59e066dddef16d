"""The `state:` store (contract 3.4): the newest messages, at most 100,000 and at most 30 days old.

Each says which was the oldest that was there when it came, so that the past is told as long as its messages are here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, NamedTuple

import sqlalchemy as sa

from domain.devices.state_message import StateMessageReceived
from projections.as_of import ForgottenError, moment, reading_as_of
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
    sa.Column("oldest", sa.BigInteger, nullable=False),
)


class StateMessageStore:
    """The read model `state_messages`. What is too old is told by the times of the messages themselves and no clock,
    so that a rebuild comes to the same."""

    name: ClassVar[str] = "state_messages"
    version: ClassVar[int] = 2
    tables: ClassVar[Sequence[sa.Table]] = (MESSAGES,)

    async def apply(self, batch: Batch, to: Target) -> None:
        arrived = [
            (one, one.event) for one in batch.of(StateMessageReceived) if isinstance(one.event, StateMessageReceived)
        ]
        if not arrived:
            return
        kept = await _kept(to)
        columns = "id, number, topic, payload, received_at, oldest"
        copying = f"COPY {to.name(MESSAGES)} ({columns}) FROM STDIN"
        rows = []
        for recorded, event in arrived:
            at = recorded.envelope.at
            await kept.take(at)
            topic, payload = storable(event.mqtt_topic), storable(event.payload)
            rows.append((recorded.position, kept.newest, topic, payload, at, kept.oldest))
        async with to.connection.cursor().copy(copying.encode()) as copy:
            for row in rows:
                await copy.write_row(row)
        forgetting = f"DELETE FROM {to.name(MESSAGES)} WHERE number < %s"
        await to.connection.execute(forgetting.encode(), (kept.oldest,))


class _Kept:
    """Which numbers are kept, message after message. `times` are those of the oldest as far as they are read."""

    def __init__(self, newest: int, oldest: int, times: Mapping[int, datetime], to: Target) -> None:
        self.newest = newest
        self.oldest = oldest
        self._times = dict(times)
        self._to = to

    async def take(self, at: datetime) -> None:
        self.newest += 1
        self._times[self.newest] = at
        self.oldest = max(self.oldest, self.newest - MOST + 1)
        while await self._time(self.oldest) < at - OLDEST:
            self.oldest += 1

    async def _time(self, number: int) -> datetime:
        if number not in self._times:
            name = self._to.name(MESSAGES)
            query = f"SELECT number, received_at FROM {name} WHERE number >= %s ORDER BY id LIMIT {_AT_ONCE}"
            cursor = await self._to.connection.execute(query.encode(), (number,))
            self._times |= dict(await cursor.fetchall())
        return self._times[number]


_AT_ONCE = 1_000


async def _kept(to: Target) -> _Kept:
    query = f"""
        SELECT newest.number, greatest(newest.oldest, first.number), first.number, first.received_at
        FROM (SELECT number, oldest FROM {to.name(MESSAGES)} ORDER BY id DESC LIMIT 1) newest,
            (SELECT number, received_at FROM {to.name(MESSAGES)} ORDER BY id LIMIT 1) first
    """
    cursor = await to.connection.execute(query.encode())
    row = await cursor.fetchone()
    if row is None:
        return _Kept(0, 1, {}, to)
    newest, oldest, first, received_at = row
    return _Kept(newest, oldest, {first: received_at}, to)


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
        """Raises ForgottenError when some of what was there at the moment that is asked for is not kept any more."""
        place = {"limit": PAGE, "offset": page * PAGE}
        asked = moment()
        if asked is None:
            return [MessageRow._make(row) for row in await self._database.all(_LIST, **place)]
        position = await asked.resolve()
        with reading_as_of(None):
            rows = await self._database.fetch(_LIST_THEN, {"position": position, **place})
        first, newest, oldest = rows[0][:3]
        if newest is None:
            is_there = first in (None, 1)  # nothing had come
        else:
            last = newest - page * PAGE
            is_there = last < oldest or max(oldest, last - PAGE + 1) >= first
        if not is_there:
            raise ForgottenError(_GONE)
        return [MessageRow._make(row[3:]) for row in rows if row[3] is not None]


_GONE = f"as_of: of state messages the newest {MOST:,} of {OLDEST.days} days are kept; some of those of then are gone"

_LIST = (
    sa.select(MESSAGES.c.id, MESSAGES.c.payload, MESSAGES.c.received_at, MESSAGES.c.topic)
    .order_by(MESSAGES.c.id.desc())
    .limit(sa.bindparam("limit", type_=sa.BigInteger))
    .offset(sa.bindparam("offset", type_=sa.BigInteger))
)

# The first there is now, and what was there then: from which number to which, and the page.
_LIST_THEN = b"""
    SELECT first.number, newest.number, newest.oldest, m.id, m.payload, m.received_at, m.topic
    FROM (SELECT (SELECT number FROM state_messages ORDER BY id LIMIT 1) AS number) first
    LEFT JOIN (
        SELECT number, oldest FROM state_messages WHERE id <= %(position)s::bigint ORDER BY id DESC LIMIT 1
    ) newest ON true
    LEFT JOIN LATERAL (
        SELECT * FROM state_messages s WHERE s.id <= %(position)s::bigint AND s.number >= newest.oldest
        ORDER BY s.id DESC LIMIT %(limit)s::bigint OFFSET %(offset)s::bigint
    ) m ON true
    ORDER BY m.id DESC
"""
