"""What is read of topics, as those who read need it."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from domain.streams.partition import Offsets


class Place(NamedTuple):
    """Where somebody reads on."""

    name: str
    partition: int
    at: Offsets


class Run(NamedTuple):
    """So many messages that follow one another: `values` are JSON, with a comma between two; `at` is when they were
    taken."""

    offset: int
    size: int
    values: bytes
    at: datetime


class Batch(NamedTuple):
    """What comes next in a partition, up to `until`. There may be nothing to be read on the way there."""

    name: str
    partition: int
    start: Offsets
    until: Offsets
    runs: Sequence[Run]


class MessageLog(Protocol):
    """Every call may raise LogUnavailableError."""

    async def read(self, places: Sequence[Place], largest: int, *, but: UUID | None = None) -> Sequence[Batch]:
        """What follows the places: one batch for each partition that has something, whole entries, together about
        `largest` bytes and more only when a single entry has more. The partitions that are named first have the right
        of way. Of topics that hold the log the events of the stream `but` are left out."""


class Arrivals(Protocol):
    """Tells when streams of the log grow."""

    def watching(self, streams: Collection[UUID], *, everything: bool = False) -> AbstractContextManager["Watch"]:
        """Begins at once: what arrives from now on is not missed. `everything`: whatever arrives will do."""


class Watch(Protocol):
    async def arrived(self, timeout: float) -> bool:
        """Waits until something arrives, at most so many seconds; whether it did. Counts from the last call on."""
