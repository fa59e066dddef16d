"""Keeping of each topic what is to be kept: days that are over are closed, and their values taken out of the log."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple, Protocol

from application.executor import CommandExecutor
from application.ports import Clock
from application.streams.topic import CloseDay
from domain.event import Origin
from domain.identifiers import topic_id
from domain.streams.partition import START, Offsets
from domain.streams.placement import RANGES
from domain.streams.topic import TOPIC, Retention, days_to_close

logger = logging.getLogger("tidemark.streams")

# By so much the clock of another process may be behind, which still writes to the day that is over here.
OTHER_CLOCKS = timedelta(minutes=10)


class DaySize(NamedTuple):
    """What came to a partition on one day (UTC), and where it begins there."""

    day: date
    partition: int
    bytes: int
    first: Offsets


class RetainedTopics(Protocol):
    """Each may raise LogUnavailableError."""

    async def are_current(self) -> bool:
        """Whether they know of everything that the log has."""

    async def retentions(self) -> Mapping[str, Retention]:
        """By topic, where one was ever set."""

    async def day_sizes(self, name: str) -> Sequence[DaySize]: ...

    async def ends(self, name: str) -> Mapping[int, Offsets]:
        """Where each partition ends."""


class Values(Protocol):
    """The values of messages, as they lie in the log."""

    async def archive(self, name: str, day: date, parts: Mapping[int, tuple[Offsets, Offsets]]) -> str:
        """Writes what lies in these parts of the partitions to a file, all or nothing; returns how it is called."""

    async def remove(self, name: str, first: Sequence[Offsets]) -> int:
        """Takes out those before; returns of how many entries. What was taken out already costs nothing."""


class Retaining:
    """`today` is told by the clock, in UTC."""

    def __init__(
        self, executor: CommandExecutor, topics: RetainedTopics, values: Values, clock: Clock, *, can_archive: bool
    ) -> None:
        self._executor = executor
        self._topics = topics
        self._values = values
        self._clock = clock
        self._can_archive = can_archive
        self._complained: set[str] = set()

    async def close_days(self) -> None:
        """Once for every topic. What was interrupted, or cannot be told yet, is finished the next time."""
        if not await self._topics.are_current():
            return
        for name, retention in (await self._topics.retentions()).items():
            if retention.disposal == "archive" and not self._can_archive:
                self._complain(name)
                continue
            await self._close_days_of(name, retention)
            topic = await self._executor.find(TOPIC, topic_id(name))
            if topic is not None and topic.first:
                await self._values.remove(name, topic.first)

    async def _close_days_of(self, name: str, retention: Retention) -> None:
        days: defaultdict[date, dict[int, DaySize]] = defaultdict(dict)
        for one in await self._topics.day_sizes(name):
            days[one.day][one.partition] = one
        sizes = {day: sum(one.bytes for one in of_day.values()) for day, of_day in days.items()}
        closing = days_to_close(retention, sizes, (self._clock() - OTHER_CLOCKS).date())
        if not closing:
            return
        ends = await self._topics.ends(name)
        for day in closing:
            later = [of_day for other, of_day in sorted(days.items()) if other > day]
            first = [
                next((of_day[partition].first for of_day in later if partition in of_day), ends.get(partition, START))
                for partition in range(RANGES)
            ]
            archive = ""
            if retention.disposal == "archive":
                parts = {partition: (one.first, first[partition]) for partition, one in days[day].items()}
                archive = await self._values.archive(name, day, parts)
            origin = Origin(actor="system:retention", source="system", correlation_id=f"retention {day}")
            await self._executor.execute(CloseDay(name=name, day=day, first=tuple(first), archive=archive), origin)
            logger.info("closed %s of the topic %r: %s", day, name, archive or "dropped")

    def _complain(self, name: str) -> None:
        if name not in self._complained:
            self._complained.add(name)
            logger.warning("the topic %r is to be archived, and TIDEMARK_ARCHIVE_DIR is not set: it is kept", name)
