"""Taking messages. Whether they are JSON is known by now; nothing of them is looked at here."""

from collections.abc import Mapping, Sequence

import msgspec

from application.command import Aggregates, Change, Command, Handler, change
from domain.identifiers import partition_id, submission_id
from domain.streams import partition, submission
from domain.streams.partition import PARTITION
from domain.streams.submission import SUBMISSION


class ProduceMessages(Command):
    """What one request brought: `values` is a JSON array of `count` messages."""

    name: str
    partition: int
    count: int
    values: msgspec.Raw


class ProduceOnce(Command):
    """The same from whoever gave his request a key. A request that was taken under it is not taken again, and the
    receipt has no events."""

    messages: ProduceMessages
    actor: str
    key: str
    digest: str


def produce_messages(command: ProduceMessages, aggregates: Aggregates) -> Sequence[Change]:
    id = partition_id(command.name, command.partition)
    before = aggregates.find(PARTITION, id)
    return (
        change(
            PARTITION, id, partition.produce(before, command.name, command.partition, command.count, command.values)
        ),
    )


def produce_once(command: ProduceOnce, aggregates: Aggregates) -> Sequence[Change]:
    name = command.messages.name
    id = submission_id(command.actor, name, command.key)
    accepted = submission.accept(aggregates.find(SUBMISSION, id), name, command.digest, aggregates.now)
    taken = produce_messages(command.messages, aggregates) if accepted else ()
    return (change(SUBMISSION, id, accepted), *taken)


HANDLERS: Mapping[type[Command], Handler] = {ProduceMessages: produce_messages, ProduceOnce: produce_once}
