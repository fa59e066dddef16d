"""Consumers that share topics: who has which partitions, what each was handed, and what is done with (contract streams
4.4 and 6).

A message is handed out, and committed when the consumer asks for more, says so or leaves; but only if it arrived: who
asks again because the answer was lost must not commit what it never saw. A partition that goes to another consumer is
rewound to what was committed, so that nothing is lost and at most the uncommitted comes twice.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from domain.decider import Decider
from domain.errors import DomainError, NotFoundError
from domain.event import Event
from domain.streams.consumer import Departure, NotRegisteredError
from domain.streams.partition import Offsets
from domain.streams.placement import RANGES
from domain.value import State, Value


class Mark(Value):
    """A place in one partition of a topic."""

    name: str
    partition: int
    at: Offsets


class Delivery(Value):
    """Messages of one partition, from a place up to another."""

    name: str
    partition: int
    start: Offsets
    until: Offsets


class Outcome(Value):
    """What became of the last messages that a consumer was handed: whether they arrived."""

    id: UUID
    arrived: bool


class Assignment(Value):
    """The partitions of every topic that a member has."""

    consumer_id: str
    partitions: tuple[int, ...]


class MemberJoined(Event, topic="streams.group.member_joined.v1"):
    group: str
    consumer_id: str
    topics: tuple[str, ...]


class MemberLeft(Event, topic="streams.group.member_left.v1"):
    group: str
    consumer_id: str
    why: Departure


class PartitionsAssigned(Event, topic="streams.group.partitions_assigned.v1"):
    """All of them, anew. Members that are not named have none."""

    group: str
    assignments: tuple[Assignment, ...]


class ReadingBegun(Event, topic="streams.group.reading_begun.v1"):
    """The group reads a topic for the first time, from here."""

    group: str
    name: str
    starts: tuple[Offsets, ...]


class PartitionsTakenOver(Event, topic="streams.group.partitions_taken_over.v1"):
    """A member reads on where another one, who had them before, committed last."""

    group: str
    consumer_id: str
    marks: tuple[Mark, ...]


class MessagesDelivered(Event, topic="streams.group.delivered.v1"):
    """`id` is of everything that was handed out in one answer."""

    id: UUID
    group: str
    consumer_id: str
    deliveries: tuple[Delivery, ...]


class MessagesReturned(Event, topic="streams.group.returned.v1"):
    """What was handed out never reached the consumer: it comes next again."""

    group: str
    consumer_id: str
    marks: tuple[Mark, ...]


class PositionsCommitted(Event, topic="streams.group.committed.v1"):
    """Everything before these places is done with."""

    group: str
    consumer_id: str
    marks: tuple[Mark, ...]


class PositionsSought(Event, topic="streams.group.sought.v1"):
    """Somebody made the group read on from elsewhere."""

    group: str
    marks: tuple[Mark, ...]


class Line(Value):
    """How far one partition of a topic is read. `handed` is what `reader`, the last who read there, was given with
    `delivery` and has not committed."""

    committed: Offsets
    reader: str = ""
    handed: Offsets | None = None
    delivery: UUID | None = None

    def next_for(self, consumer_id: str, outcome: Outcome | None) -> Offsets:
        """Where the consumer reads on: behind what it was handed, which is committed then, if it arrived."""
        if self.handed is None or self.reader != consumer_id or outcome is None or not outcome.arrived:
            return self.committed
        return self.handed


class Group(State):
    """`members` are their topics; `lines` are by topic and partition, of every topic that was ever read."""

    name: str
    members: dict[str, tuple[str, ...]]
    partitions: dict[str, tuple[int, ...]]
    lines: dict[str, tuple[Line, ...]]

    @property
    def topics(self) -> Sequence[str]:
        """What is read now: each member gets every topic that any of them asked for."""
        return sorted({topic for topics in self.members.values() for topic in topics})

    def unsettled(self, consumer_id: str) -> UUID | None:
        """The last delivery to the consumer, while it is neither committed nor returned."""
        return next((line.delivery for _, _, line in _handed(self, consumer_id)), None)


class Owned(NamedTuple):
    """A partition of a topic that a member has now."""

    name: str
    partition: int
    line: Line


class AnotherReaderError(DomainError):
    """The consumer has the partition of another one now and has not read there yet."""

    code = "streams.another_reader"


class PositionMovedError(DomainError):
    """What was read is no longer what comes next; look again."""

    code = "streams.position_moved"


class DeliveryUnsettledError(DomainError):
    """Whether the delivery `id` arrived has to be known first."""

    code = "streams.delivery_unsettled"

    def __init__(self, id: UUID) -> None:
        super().__init__(f"Whether the delivery {id} arrived has to be known first.")
        self.id = id


class GroupNotFoundError(NotFoundError):
    code = "streams.group_not_found"


class NotReadError(NotFoundError):
    """The group never read the topic, or the topic has no such partition."""

    code = "streams.topic_not_read"


# Decide


def join(
    group: Group | None, name: str, consumer_id: str, topics: Sequence[str], starts: Mapping[str, Sequence[Offsets]]
) -> Sequence[Event]:
    """`starts` says where a topic begins that the group never read."""
    members = dict(group.members) if group else {}
    if members.get(consumer_id) == tuple(topics):
        return ()
    members[consumer_id] = tuple(topics)
    begun = [
        ReadingBegun(group=name, name=topic, starts=tuple(starts[topic]))
        for topic in dict.fromkeys(topics)
        if group is None or topic not in group.lines
    ]
    joined = MemberJoined(group=name, consumer_id=consumer_id, topics=tuple(topics))
    return (joined, *begun, _assigned(name, members))


def leave(
    group: Group | None, consumer_id: str, why: Departure, *, commit: bool, outcome: Outcome | None = None
) -> Sequence[Event]:
    """What it had goes to the others at once."""
    if group is None or consumer_id not in group.members:
        return ()
    left = {id: topics for id, topics in group.members.items() if id != consumer_id}
    return (
        *(_settled(group, consumer_id, outcome) if commit else ()),
        MemberLeft(group=group.name, consumer_id=consumer_id, why=why),
        _assigned(group.name, left),
    )


def poll(
    group: Group | None, consumer_id: str, outcome: Outcome | None, id: UUID, deliveries: Sequence[Delivery]
) -> Sequence[Event]:
    """Commits what was handed out before if it arrived, and hands out what was read meanwhile, if it is still what
    comes next, as the delivery `id`."""
    known = require_member(group, consumer_id)
    settled = _settled(known, consumer_id, outcome)
    lines = {(name, partition): line for name, partition, line in owned(known, consumer_id)}
    for delivery in deliveries:
        line = lines.get((delivery.name, delivery.partition))
        if line is None or line.next_for(consumer_id, outcome) != delivery.start:
            raise PositionMovedError("The partition was given away, or read on, in the meantime.")
    taken = [
        Mark(name=name, partition=partition, at=line.committed)
        for (name, partition), line in lines.items()
        if line.reader not in ("", consumer_id)
    ]
    events: list[Event] = []
    if taken:
        events.append(PartitionsTakenOver(group=known.name, consumer_id=consumer_id, marks=tuple(taken)))
    events += settled
    if deliveries:
        events.append(MessagesDelivered(id=id, group=known.name, consumer_id=consumer_id, deliveries=tuple(deliveries)))
    return events


def commit(group: Group | None, consumer_id: str, outcome: Outcome | None) -> Sequence[Event]:
    """What was handed out, if it arrived."""
    known = require_member(group, consumer_id)
    if any(line.reader not in ("", consumer_id) for _, _, line in owned(known, consumer_id)):
        raise AnotherReaderError("Manual commit ignored: another origin reading")
    return _settled(known, consumer_id, outcome)


def seek(group: Group | None, marks: Sequence[Mark]) -> Sequence[Event]:
    """What was handed out and not committed is forgotten, so that nobody commits it over what is sought."""
    if group is None:
        raise GroupNotFoundError("There is no such group; it begins with its first consumer.")
    for mark in marks:
        if mark.partition >= len(group.lines.get(mark.name, ())):
            raise NotReadError(f"The group does not read partition {mark.partition} of the topic {mark.name}.")
    return (PositionsSought(group=group.name, marks=tuple(marks)),)


def require_member(group: Group | None, consumer_id: str) -> Group:
    if group is None or consumer_id not in group.members:
        raise NotRegisteredError("Consumer not registered")
    return group


def owned(group: Group, consumer_id: str) -> Iterator[Owned]:
    """What the consumer is to read, by topic and partition."""
    mine = group.partitions.get(consumer_id, ())
    for name in group.topics:
        lines = group.lines.get(name, ())
        for partition in mine:
            if partition < len(lines):
                yield Owned(name, partition, lines[partition])


def assignments(name: str, consumer_ids: Sequence[str], partitions: int) -> dict[str, tuple[int, ...]]:
    """The members in the order of `<group>-<consumer>` take turns; there may be more of them than partitions."""
    ordered = sorted(consumer_ids, key=lambda id: f"{name}-{id}".encode(errors="surrogatepass"))
    return {
        id: tuple(partition for partition in range(partitions) if partition % len(ordered) == number)
        for number, id in enumerate(ordered)
    }


def _assigned(name: str, members: Mapping[str, Sequence[str]]) -> PartitionsAssigned:
    taken = assignments(name, list(members), RANGES)
    return PartitionsAssigned(
        group=name,
        assignments=tuple(Assignment(consumer_id=id, partitions=mine) for id, mine in taken.items() if mine),
    )


def _settled(group: Group, consumer_id: str, outcome: Outcome | None) -> Sequence[Event]:
    """What becomes of what the consumer was handed. Raises DeliveryUnsettledError when the outcome is not of that."""
    unsettled = group.unsettled(consumer_id)
    if unsettled is None:
        return ()
    if outcome is None or outcome.id != unsettled:
        raise DeliveryUnsettledError(unsettled)
    marks = tuple(
        Mark(name=name, partition=partition, at=line.next_for(consumer_id, outcome))
        for name, partition, line in _handed(group, consumer_id)
    )
    settle = PositionsCommitted if outcome.arrived else MessagesReturned
    return (settle(group=group.name, consumer_id=consumer_id, marks=marks),)


def _handed(group: Group, consumer_id: str) -> Iterator[Owned]:
    """Of every topic, also of one that nobody asks for now: all of it is of one delivery."""
    for name, lines in group.lines.items():
        for partition, line in enumerate(lines):
            if line.handed is not None and line.reader == consumer_id:
                yield Owned(name, partition, line)


# Evolve


def evolve(group: Group | None, event: Event) -> Group | None:
    match event, group:
        case MemberJoined(), _:
            known = group or Group(name=event.group, members={}, partitions={}, lines={})
            return replace(known, members={**known.members, event.consumer_id: event.topics})
        case MemberLeft(), Group():
            left = {id: topics for id, topics in group.members.items() if id != event.consumer_id}
            # Who said goodbye has committed or does not want to. Who only fell silent may come back and go on.
            gone = event.consumer_id if event.why == "goodbye" else ""
            lines = _lines(group, lambda _, line: _rewound(line) if line.reader == gone else line)
            return replace(group, members=left, lines=lines)
        case PartitionsAssigned(), Group():
            partitions = {one.consumer_id: one.partitions for one in event.assignments}
            owners = {partition: id for id, mine in partitions.items() for partition in mine}
            return replace(
                group,
                partitions=partitions,
                lines=_lines(group, lambda partition, line: _given_to(line, owners.get(partition, line.reader))),
            )
        case ReadingBegun(), Group():
            begun = tuple(Line(committed=start) for start in event.starts)
            return replace(group, lines={**group.lines, event.name: begun})
        case PartitionsTakenOver(), Group():
            return _marked(group, event.marks, lambda line, _: replace(_rewound(line), reader=event.consumer_id))
        case MessagesDelivered(), Group():
            handed = [Mark(name=one.name, partition=one.partition, at=one.until) for one in event.deliveries]
            return _marked(
                group,
                handed,
                lambda line, at: replace(line, reader=event.consumer_id, handed=at, delivery=event.id),
            )
        case MessagesReturned(), Group():
            return _marked(group, event.marks, lambda line, _: _rewound(line))
        case PositionsCommitted(), Group():
            return _marked(group, event.marks, lambda line, at: replace(_rewound(line), committed=at))
        case PositionsSought(), Group():
            return _marked(group, event.marks, lambda _, at: Line(committed=at))
    return group


def _lines(group: Group, change: Callable[[int, Line], Line]) -> dict[str, tuple[Line, ...]]:
    return {
        name: tuple(change(partition, line) for partition, line in enumerate(lines))
        for name, lines in group.lines.items()
    }


def _marked(group: Group, marks: Sequence[Mark], change: Callable[[Line, Offsets], Line]) -> Group:
    lines = dict(group.lines)
    for mark in marks:
        of_topic = lines.get(mark.name, ())
        if 0 <= mark.partition < len(of_topic):
            at, after = mark.partition, mark.partition + 1
            lines[mark.name] = (*of_topic[:at], change(of_topic[at], mark.at), *of_topic[after:])
    return replace(group, lines=lines)


def _rewound(line: Line) -> Line:
    return replace(line, handed=None, delivery=None)


def _given_to(line: Line, owner: str) -> Line:
    return _rewound(line) if line.handed is not None and line.reader != owner else line


GROUP = Decider("streams.group", Group, evolve)
