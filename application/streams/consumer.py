"""Consumers and their groups: registering, polling, committing, leaving. Of each receipt the state is the group's."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from application.command import Aggregates, Change, Command, Handler, change
from domain.identifiers import consumer_stream_id, group_id, partition_id, topic_id
from domain.streams import consumer, group
from domain.streams.consumer import CONSUMER, Consumer, Departure
from domain.streams.group import GROUP, Delivery, Group, Outcome
from domain.streams.partition import PARTITION, START, Offsets
from domain.streams.placement import RANGES
from domain.streams.topic import TOPIC, is_log


class RegisterConsumer(Command):
    """Somebody wants to read. `from_earliest` counts for topics that the group has never read; `head` is the end of the
    log now, for those that hold the log. The receipt has no events when it is registered already."""

    consumer_id: str
    actor: str
    group: str
    topics: tuple[str, ...]
    from_earliest: bool
    head: int


def register_consumer(command: RegisterConsumer, aggregates: Aggregates) -> Sequence[Change]:
    stream, id = consumer_stream_id(command.consumer_id), group_id(command.group)
    registered = consumer.register(
        aggregates.find(CONSUMER, stream), command.consumer_id, command.actor, command.group, command.topics
    )
    known = aggregates.find(GROUP, id)
    new = [name for name in dict.fromkeys(command.topics) if known is None or name not in known.lines]
    find_start = _earliest if command.from_earliest else _latest
    starts = {name: find_start(aggregates, name, command.head) for name in new}
    joined = group.join(known, command.group, command.consumer_id, command.topics, starts)
    return (change(GROUP, id, joined), change(CONSUMER, stream, registered))


def _earliest(aggregates: Aggregates, name: str, _: int) -> Sequence[Offsets]:
    if is_log(name):
        return (START,)
    topic = aggregates.find(TOPIC, topic_id(name))
    return tuple(topic.begins_at(partition) if topic else START for partition in range(RANGES))


def _latest(aggregates: Aggregates, name: str, head: int) -> Sequence[Offsets]:
    if is_log(name):
        return (Offsets(offset=head + 1),)
    ids = [partition_id(name, partition) for partition in range(RANGES)]
    partitions = aggregates.find_many(PARTITION, ids)
    return tuple(known.end if (known := partitions[id]) else START for id in ids)


class PollMessages(Command):
    """Hands out what was read for the consumer, as the delivery `id`, and commits what it was handed before if that
    arrived (`outcome`). Refused when what was read is no longer what comes next, and see CommitPositions."""

    id: UUID
    consumer_id: str
    actor: str
    outcome: Outcome | None = None
    deliveries: tuple[Delivery, ...] = ()


def poll_messages(command: PollMessages, aggregates: Aggregates) -> Sequence[Change]:
    id, known = _group_of(aggregates, command.consumer_id, command.actor)
    polled = group.poll(known, command.consumer_id, command.outcome, command.id, command.deliveries)
    return (change(GROUP, id, polled),)


class CommitPositions(Command):
    """Refused when the outcome is not of what the consumer was handed last, and not yet settled."""

    consumer_id: str
    actor: str
    outcome: Outcome | None = None


def commit_positions(command: CommitPositions, aggregates: Aggregates) -> Sequence[Change]:
    id, known = _group_of(aggregates, command.consumer_id, command.actor)
    return (change(GROUP, id, group.commit(known, command.consumer_id, command.outcome)),)


class UnregisterConsumer(Command):
    """It says goodbye, with or without committing what it was handed; see CommitPositions."""

    consumer_id: str
    actor: str
    commit: bool = True
    outcome: Outcome | None = None


def unregister_consumer(command: UnregisterConsumer, aggregates: Aggregates) -> Sequence[Change]:
    known = _registered(aggregates, command.consumer_id, command.actor)
    return _leaving(aggregates, known, "goodbye", commit=command.commit, outcome=command.outcome)


class ExpireConsumer(Command):
    """It was not heard of for too long. Nothing happens when it is gone already."""

    consumer_id: str


def expire_consumer(command: ExpireConsumer, aggregates: Aggregates) -> Sequence[Change]:
    known = aggregates.find(CONSUMER, consumer_stream_id(command.consumer_id))
    return _leaving(aggregates, known, "expired", commit=False) if known else ()


def _leaving(
    aggregates: Aggregates, known: Consumer, why: Departure, *, commit: bool, outcome: Outcome | None = None
) -> Sequence[Change]:
    id = group_id(known.group)
    left = group.leave(aggregates.find(GROUP, id), known.id, why, commit=commit, outcome=outcome)
    stream = consumer_stream_id(known.id)
    return (change(GROUP, id, left), change(CONSUMER, stream, consumer.unregister(known, why)))


def _group_of(aggregates: Aggregates, consumer_id: str, actor: str) -> tuple[UUID, Group | None]:
    id = group_id(_registered(aggregates, consumer_id, actor).group)
    return id, aggregates.find(GROUP, id)


def _registered(aggregates: Aggregates, consumer_id: str, actor: str) -> Consumer:
    return consumer.require(aggregates.find(CONSUMER, consumer_stream_id(consumer_id)), actor)


HANDLERS: Mapping[type[Command], Handler] = {
    RegisterConsumer: register_consumer,
    PollMessages: poll_messages,
    CommitPositions: commit_positions,
    UnregisterConsumer: unregister_consumer,
    ExpireConsumer: expire_consumer,
}
