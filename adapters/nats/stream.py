"""The stream EVENTS: the copy of the log in JetStream, in which the sequence of a message is the log's position."""

import logging

from nats.aio.client import Client
from nats.js.api import RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import NotFoundError

from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from adapters.nats.messages import STREAM, SUBJECTS
from domain.value import Value

# The stream's metadata names the log that it copies.
LOG_KEY = "tidemark-log"

# Expected sequences already refuse every repetition; the window only has to exist for `Nats-Msg-Id` to be looked at.
DUPLICATE_SECONDS = 5.0

API_SECONDS = 2.0

log = logging.getLogger("tidemark.nats")


class StreamLimits(Value):
    """How much of the past the copy keeps; the log keeps everything. Absent means no limit."""

    max_age_seconds: float | None = None
    max_bytes: int | None = None


class EventStream:
    """Makes sure that the stream there is copies this log, and tells how far it got."""

    def __init__(self, client: Client, reader: PostgresLogReader, mapper: Mapper, limits: StreamLimits) -> None:
        self._manager = client.jetstream(timeout=API_SECONDS)
        self._reader = reader
        self._mapper = mapper
        self._limits = limits

    async def open(self, identity: str) -> int:
        """The position of the last event in the stream, which is made, or made anew, if need be."""
        about = "Every event of the Tidemark log; the sequence is the log's position."
        config = copy_config(STREAM, about, SUBJECTS, self._limits, identity)
        try:
            info = await self._manager.stream_info(STREAM)
        except NotFoundError:
            await self._manager.add_stream(config)
            log.info("created the stream %s", STREAM)
            return 0
        if reason := await self._foreign(info, identity):
            log.warning(
                "the stream %s is no copy of this log (%s): it is deleted and filled again from the log. "
                "Two installations on one NATS need an account each.",
                STREAM,
                reason,
            )
            await self._manager.delete_stream(STREAM)
            await self._manager.add_stream(config)
            return 0
        if not limited_alike(info.config, config):
            await self._manager.update_stream(info.config.evolve(max_age=config.max_age, max_bytes=config.max_bytes))
        return info.state.last_seq

    async def last_position(self) -> int:
        """How far the stream is. Raises NotFoundError when it is gone."""
        return (await self._manager.stream_info(STREAM)).state.last_seq

    async def _foreign(self, info: StreamInfo, identity: str) -> str | None:
        """Why the stream cannot be a copy of the log, None when it is one."""
        named = (info.config.metadata or {}).get(LOG_KEY)
        if named != identity:
            return f"it belongs to the log {named}, this is {identity}"
        last = info.state.last_seq
        if last == 0:
            return None
        rows = await self._reader.read_rows(last - 1, 1)
        if not rows:
            return f"it reaches position {last}, the log does not"
        try:
            newest = await self._manager.get_msg(STREAM, last)
        except NotFoundError:
            return None  # expired, as its limits say
        # A database that was restored from a backup and written again has the same identity and other events.
        event_id = str(self._mapper.stored(rows[0].state).id)
        if (newest.headers or {}).get("ce-id") != event_id:
            return f"it has another event at position {last}"
        return None


def copy_config(name: str, description: str, subjects: str, limits: StreamLimits, identity: str) -> StreamConfig:
    """A stream that is a copy of something in the log with that identity."""
    return StreamConfig(
        name=name,
        description=description,
        subjects=[subjects],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_age=limits.max_age_seconds or 0,
        max_bytes=limits.max_bytes or -1,
        duplicate_window=DUPLICATE_SECONDS,
        allow_direct=True,
        metadata={LOG_KEY: identity},
    )


def limited_alike(present: StreamConfig, wanted: StreamConfig) -> bool:
    return (present.max_age or 0, present.max_bytes) == (wanted.max_age or 0, wanted.max_bytes)
