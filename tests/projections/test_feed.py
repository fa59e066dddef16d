"""The feed takes what comes over NATS while that is complete, and the log whenever it is not."""

from collections.abc import Sequence

from application.ports import BehindError
from domain.event import Recorded
from projections.feed import Feed
from tests.projections.history import recorded


class Log:
    """A log in memory that counts how often it is read, and grows when somebody waits for it."""

    def __init__(self, length: int) -> None:
        self.events = [recorded(position) for position in range(1, length + 1)]
        self.reads = 0

    async def read(self, after: int, limit: int) -> Sequence[Recorded]:
        self.reads += 1
        return self.events[after : after + limit]

    async def head(self) -> int:
        return len(self.events)

    async def wait(self, timeout: float) -> None:
        self.events.append(recorded(len(self.events) + 1))


class Live:
    """Delivers what the log has, or what it is told to."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.behind = False
        self.silent = False

    async def fetch(self, after: int, limit: int, timeout: float) -> Sequence[Recorded]:
        if self.behind:
            raise BehindError("as told")
        return () if self.silent else self._log.events[after : after + limit]


async def positions(feed: Feed, after: int, limit: int = 10) -> list[int]:
    return [event.position for event in await feed.after(after, limit, timeout=0)]


async def test_a_follower_that_starts_reads_the_log_until_its_end() -> None:
    log = Log(25)
    feed = Feed(log, Live(log))
    found = [await positions(feed, 0), await positions(feed, 10), await positions(feed, 20)]
    assert found == [[*range(1, 11)], [*range(11, 21)], [*range(21, 26)]]
    assert log.reads == 3


async def test_at_the_end_of_the_log_events_come_live() -> None:
    log = Log(3)
    feed = Feed(log, Live(log))
    await positions(feed, 0)
    await log.wait(0)
    assert await positions(feed, 3) == [4]
    assert log.reads == 1


async def test_whatever_the_live_feed_cannot_give_is_read_from_the_log() -> None:
    log = Log(3)
    live = Live(log)
    feed = Feed(log, live)
    await positions(feed, 0)
    await log.wait(0)
    live.behind = True
    assert await positions(feed, 3) == [4]
    assert await positions(feed, 4) == [5]  # waited for in the log


async def test_a_silent_live_feed_is_not_believed() -> None:
    log = Log(3)
    live = Live(log)
    feed = Feed(log, live)
    await positions(feed, 0)
    await log.wait(0)
    live.silent = True
    assert await positions(feed, 3) == [4]


async def test_without_nats_the_log_is_enough() -> None:
    log = Log(3)
    feed = Feed(log)
    assert await positions(feed, 0) == [1, 2, 3]
    assert await positions(feed, 3) == [4]
