"""Reading for a consumer: what comes next in its partitions is read first and handed out then, if it still comes next.

What this process knows of a group is only where it begins to look; whether that is so is decided with the poll.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import count
from typing import NamedTuple, cast

from application.executor import CommandExecutor
from application.streams.consumer import GiveBack, PollMessages
from application.streams.messages import Arrivals, Batch, MessageLog, Place, Watch
from application.streams.sessions import Sessions
from domain.event import Origin
from domain.identifiers import group_id, partition_id
from domain.streams.consumer import NotRegisteredError
from domain.streams.group import Delivery, Group, PositionMovedError, owned
from domain.streams.topic import is_log

ATTEMPTS = 20
# Whoever waits is looked after so often: he may have hung up.
LOOK_SECONDS = 0.25
REMEMBERED = 10_000


class Polled(NamedTuple):
    """What a poll found. `has_partitions` is false when others have them all; `moved` says that the partitions were
    given away again and again meanwhile."""

    batches: Sequence[Batch] = ()
    has_partitions: bool = True
    moved: bool = False


class Poller:
    """`largest` is how many bytes of messages one poll brings, about."""

    def __init__(
        self, executor: CommandExecutor, messages: MessageLog, arrivals: Arrivals, sessions: Sessions, largest: int
    ) -> None:
        self._executor = executor
        self._messages = messages
        self._arrivals = arrivals
        self._sessions = sessions
        self._largest = largest
        self._known: OrderedDict[str, Group] = OrderedDict()
        self._turns = count()

    async def poll(
        self,
        consumer_id: str,
        origin: Origin,
        check: Callable[[Group], None],
        wait: float = 0.0,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> Polled:
        """What comes next, for which is waited so many seconds at most, and only while it is wanted. `check` raises
        when whoever asks may not read what the group reads. Raises NotRegisteredError too, and what the executor and
        MessageLog raise."""
        polled, group = await self._poll_once(consumer_id, origin, check)
        self._sessions.hear(consumer_id)  # only now: of whoever is not registered nothing is kept
        if polled.batches or not wait:
            return polled
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        with self._sessions.present(consumer_id):
            while loop.time() < deadline and is_wanted():
                with self._watching(consumer_id, group) as watch:
                    polled, group = await self._poll_once(consumer_id, origin, check)  # what came before it was watched
                    if polled.batches:
                        return polled
                    while (left := deadline - loop.time()) > 0 and is_wanted():
                        if await watch.arrived(min(left, LOOK_SECONDS)):
                            break
        return (await self._poll_once(consumer_id, origin, check))[0] if is_wanted() else polled

    async def give_back(self, consumer_id: str, polled: Polled, origin: Origin) -> None:
        """It reached nobody, and comes next again."""
        given = GiveBack(consumer_id=consumer_id, actor=origin.actor, deliveries=_deliveries(polled.batches))
        with suppress(NotRegisteredError):
            await self._executor.execute(given, origin)

    async def _poll_once(
        self, consumer_id: str, origin: Origin, check: Callable[[Group], None]
    ) -> tuple[Polled, Group | None]:
        known = self._known.get(consumer_id)
        for _ in range(ATTEMPTS):
            if known:
                check(known)
            batches = await self._read(known, consumer_id) if known else ()
            try:
                receipt = await self._executor.execute(
                    PollMessages(consumer_id=consumer_id, actor=origin.actor, deliveries=_deliveries(batches)), origin
                )
            except PositionMovedError:
                known = None
                continue
            except NotRegisteredError:
                self._known.pop(consumer_id, None)
                raise
            group = cast("Group", receipt.state)
            self._remember(consumer_id, group)
            if any(batch.runs for batch in batches):
                return Polled(batches), group
            if (
                known is not None
                and not batches
                and _places(known, consumer_id) == (now := _places(group, consumer_id))
            ):
                return Polled(has_partitions=bool(now)), group
            known = group  # what was looked at was not what there is
        return Polled(moved=True), known

    async def _read(self, group: Group, consumer_id: str) -> Sequence[Batch]:
        places = _places(group, consumer_id)
        if not places:
            return ()
        first = next(self._turns) % len(places)  # each partition has the right of way in its turn
        return await self._messages.read([*places[first:], *places[:first]], self._largest, but=group_id(group.name))

    def _watching(self, consumer_id: str, group: Group | None) -> AbstractContextManager[Watch]:
        """Messages, and whatever happens to the group."""
        places = _places(group, consumer_id) if group else []
        streams = {partition_id(name, partition) for name, partition, _ in places}
        if group is not None:
            streams.add(group_id(group.name))
        return self._arrivals.watching(streams, everything=any(is_log(name) for name, _, _ in places))

    def _remember(self, consumer_id: str, group: Group) -> None:
        self._known[consumer_id] = group
        self._known.move_to_end(consumer_id)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _places(group: Group, consumer_id: str) -> list[Place]:
    return [Place(name, partition, line.next_for(consumer_id)) for name, partition, line in owned(group, consumer_id)]


def _deliveries(batches: Sequence[Batch]) -> tuple[Delivery, ...]:
    return tuple(
        Delivery(name=batch.name, partition=batch.partition, start=batch.start, until=batch.until) for batch in batches
    )
