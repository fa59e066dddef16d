"""What retention asks of the read model `topics`."""

from collections.abc import Mapping, Sequence

from application.streams.retention import DaySize
from domain.streams.partition import Offsets
from domain.streams.topic import Retention
from projections.positions import Positions
from projections.streams.topics import TopicQueries, Topics


class RetainedTopicQueries:
    """Fills RetainedTopics."""

    def __init__(self, topics: TopicQueries, positions: Positions) -> None:
        self._topics = topics
        self._positions = positions

    async def are_current(self) -> bool:
        return (await self._positions.fresh(Topics.name)).fresh

    async def retentions(self) -> Mapping[str, Retention]:
        return {one.name: one.retention for one in await self._topics.list_retained()}

    async def day_sizes(self, name: str) -> Sequence[DaySize]:
        return [
            DaySize(row.day, row.partition, row.bytes, Offsets(offset=row.first_offset, entries=row.first_entries))
            for row in await self._topics.list_days(name)
        ]

    async def ends(self, name: str) -> Mapping[int, Offsets]:
        rows = await self._topics.list_partitions([name])
        return {row.partition: Offsets(offset=row.messages, entries=row.entries) for row in rows}
