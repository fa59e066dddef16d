"""Copies what is produced to topics into the JetStream stream STREAMS, message by message, in the order of the log.

The last message in the stream says which one it is, so the stream is its own checkpoint; only when its limits have let
go of everything is a position asked for that is kept in the database.
"""

import asyncio
import logging
from collections.abc import Mapping
from time import monotonic

import msgspec
from nats.aio.client import Client
from nats.js.api import StreamInfo
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

from adapters.eventstore.checkpoint import Checkpoint
from adapters.eventstore.lease import Lease
from adapters.eventstore.reader import LogRow, PostgresLogReader
from adapters.nats.connection import NatsConnection
from adapters.nats.copier import CannotGoOnError, Copier, stop_if_cancelled
from adapters.nats.publisher import OutOfStepError, Publisher
from adapters.nats.stream import API_SECONDS, LOG_KEY, StreamLimits, copy_config, limited_alike
from adapters.nats.topic_messages import EVENT, STREAM, SUBJECTS, Copied, copied, event_id, messages_of
from domain.streams.partition import MessagesProduced

KEEP_SECONDS = 2.0
# Between two looks at the log: what has come meanwhile goes out together.
PAUSE_SECONDS = 0.02
# How often, when nothing happens, it is looked whether the stream is still as it was left.
LOOK_SECONDS = 5.0

log = logging.getLogger("tidemark.nats")


class MessageRelay:
    """Copies for ever: `await relay.run()` in a task, cancelled to stop. The stream takes each message once, since
    every one says which sequence must precede it."""

    def __init__(
        self,
        connection: NatsConnection,
        reader: PostgresLogReader,
        checkpoint: Checkpoint,
        lease: Lease,
        limits: StreamLimits,
    ) -> None:
        self._reader = reader
        self._checkpoint = checkpoint
        self._copier = Copier(connection, lease)
        self._limits = limits
        self._kept_at = 0.0

    async def run(self) -> None:
        try:
            await self._copier.run(self._copy, _nothing)
        finally:
            await self._checkpoint.close()
            await self._reader.close()

    async def _copy(self, client: Client) -> None:
        sequence, last = await self._open(client)
        read = last.position - 1 if last.offset >= 0 else last.position
        async with Publisher(client, sequence) as publisher:
            quiet_since = monotonic()
            while True:
                stop_if_cancelled()
                rows, reached = await self._reader.read_rows_of(MessagesProduced.topic, read)
                for row in rows:
                    sequence, last = await self._publish(publisher, sequence, row, last, client.max_payload)
                read = max(read, reached)
                if rows:
                    quiet_since = monotonic()
                    await publisher.settle()
                if monotonic() - self._kept_at > KEEP_SECONDS:
                    self._kept_at = monotonic()
                    await self._checkpoint.keep(read)
                await self._reader.wait(1.0)
                await asyncio.sleep(PAUSE_SECONDS)
                if monotonic() - quiet_since > LOOK_SECONDS:
                    quiet_since = monotonic()
                    found = (await client.jetstream(timeout=API_SECONDS).stream_info(STREAM)).state.last_seq
                    if found != sequence:
                        raise OutOfStepError(f"it is at {found}, expected {sequence}")

    async def _publish(
        self, publisher: Publisher, sequence: int, row: LogRow, last: Copied, largest: int
    ) -> tuple[int, Copied]:
        try:
            messages = list(messages_of(row, last, largest))
        except msgspec.MsgspecError as reason:
            raise CannotGoOnError(f"the event at position {row.position} cannot be read: {reason}") from None
        for number, (_, message) in enumerate(messages, 1):
            sequence += 1
            await publisher.publish(sequence, message.after(sequence - 1), last=number == len(messages))
        return sequence, messages[-1][0] if messages else last

    async def _open(self, client: Client) -> tuple[int, Copied]:
        """The last sequence of the stream, which is made, or made anew, if need be; and which message that is."""
        manager = client.jetstream(timeout=API_SECONDS)
        identity = await self._reader.identity()
        about = "Every message of every topic, in the order of the Tidemark log."
        config = copy_config(STREAM, about, SUBJECTS, self._limits, identity)
        nothing = (0, Copied(0, -1))
        try:
            info = await manager.stream_info(STREAM)
        except NotFoundError:
            await manager.add_stream(config)
            log.info("created the stream %s", STREAM)
            return nothing
        newest = await self._newest(manager, info)
        if (info.config.metadata or {}).get(LOG_KEY) != identity or not await self._is_ours(newest):
            log.warning("the stream %s is no copy of this log: it is deleted and filled again", STREAM)
            await manager.delete_stream(STREAM)
            await manager.add_stream(config)
            return nothing
        if not limited_alike(info.config, config):
            await manager.update_stream(info.config.evolve(max_age=config.max_age, max_bytes=config.max_bytes))
        if not info.state.last_seq:
            return nothing
        if newest is None:  # its limits have let it go
            return info.state.last_seq, Copied(await self._checkpoint.load(), -1)
        return info.state.last_seq, copied(newest)

    async def _newest(self, manager: JetStreamContext, info: StreamInfo) -> Mapping[str, str] | None:
        """The headers of the last message."""
        if not info.state.last_seq:
            return None
        try:
            return (await manager.get_msg(STREAM, info.state.last_seq)).headers or {}
        except NotFoundError:
            return None

    async def _is_ours(self, newest: Mapping[str, str] | None) -> bool:
        """A database that was restored from a backup and written again has the same identity and other events."""
        if newest is None:
            return True
        try:
            position, event = copied(newest).position, newest[EVENT]
        except (KeyError, ValueError):
            return False
        rows = await self._reader.read_rows(position - 1, 1)
        return bool(rows) and event_id(rows[0]) == event


async def _nothing() -> None:
    """Nobody asks how far it is."""
