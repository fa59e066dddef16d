"""Reading for a consumer: what comes next in its partitions is read first and handed out then, if it still comes next.

What this process knows of a group is only where it begins to look; whether that is so is decided with the poll.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import count
from typing import NamedTuple, cast
from uuid import UUID, uuid4

from application.executor import CommandExecutor
from application.streams.consumer import PollMessages
from application.streams.deliveries import Deliveries
from application.streams.messages import Arrivals, Batch, MessageLog, Place, Watch
from application.streams.sessions import Sessions
from domain.event import Origin
from domain.identifiers import group_id, partition_id
from domain.streams.consumer import NotRegisteredError
from domain.streams.group import Delivery, DeliveryUnsettledError, Group, Outcome, PositionMovedError, owned
from domain.streams.topic import is_log

ATTEMPTS = 20
# Whoever waits is looked after so often: he may have hung up.
LOOK_SECONDS = 0.25
REMEMBERED = 10_000


class Polled(NamedTuple):
    """What a poll found; Deliveries is to be told what became of it, under its `id`. `has_partitions` is false when
    others have them all; `moved` says that the partitions were given away again and again meanwhile."""

    id: UUID
    batches: Sequence[Batch] = ()
    has_partitions: bool = True
    moved: bool = False


class Poller:
    """`largest` is how many bytes of messages one poll brings, about."""

    def __init__(
        self,
        executor: CommandExecutor,
        messages: MessageLog,
        arrivals: Arrivals,
        sessions: Sessions,
        deliveries: Deliveries,
        largest: int,
    ) -> None:
        self._executor = executor
        self._messages = messages
        self._arrivals = arrivals
        self._sessions = sessions
        self._deliveries = deliveries
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

    async def _poll_once(
        self, consumer_id: str, origin: Origin, check: Callable[[Group], None]
    ) -> tuple[Polled, Group | None]:
        known, outcome = self._known.get(consumer_id), None
        for _ in range(ATTEMPTS):
            if known:
                check(known)
                outcome = await self._deliveries.settle(known.unsettled(consumer_id), consumer_id)
            places = _places(known, consumer_id, outcome) if known else []
            batches = await self._read(known.name, places) if known else ()
            command = PollMessages(
                id=uuid4(),
                consumer_id=consumer_id,
                actor=origin.actor,
                outcome=outcome,
                deliveries=_deliveries(batches),
            )
            try:
                receipt = await self._executor.execute(command, origin)
            except DeliveryUnsettledError as asked:
                known, outcome = None, await self._deliveries.settle(asked.id, consumer_id)
                continue
            except PositionMovedError:
                known = None
                continue
            except NotRegisteredError:
                self._known.pop(consumer_id, None)
                raise
            group = cast("Group", receipt.state)
            self._remember(consumer_id, group)
            if any(batch.runs for batch in batches):
                return Polled(command.id, batches), group
            if batches:
                self._deliveries.tell(consumer_id, command.id, arrived=True)  # there was nothing in it
            elif known is not None and places == (now := _places(group, consumer_id, None)):
                return Polled(command.id, has_partitions=bool(now)), group
            known = group  # what was looked at was not what there is
        return Polled(uuid4(), moved=True), known

    async def _read(self, name: str, places: Sequence[Place]) -> Sequence[Batch]:
        if not places:
            return ()
        first = next(self._turns) % len(places)  # each partition has the right of way in its turn
        return await self._messages.read([*places[first:], *places[:first]], self._largest, but=group_id(name))

    def _watching(self, consumer_id: str, group: Group | None) -> AbstractContextManager[Watch]:
        """Messages, and whatever happens to the group."""
        places = _places(group, consumer_id, None) if group else []
        streams = {partition_id(name, partition) for name, partition, _ in places}
        if group is not None:
            streams.add(group_id(group.name))
        return self._arrivals.watching(streams, everything=any(is_log(name) for name, _, _ in places))

    def _remember(self, consumer_id: str, group: Group) -> None:
        self._known[consumer_id] = group
        self._known.move_to_end(consumer_id)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _places(group: Group, consumer_id: str, outcome: Outcome | None) -> list[Place]:
    return [
        Place(name, partition, line.next_for(consumer_id, outcome))
        for name, partition, line in owned(group, consumer_id)
    ]


def _deliveries(batches: Sequence[Batch]) -> tuple[Delivery, ...]:
    return tuple(
        Delivery(name=batch.name, partition=batch.partition, start=batch.start, until=batch.until) for batch in batches
    )
