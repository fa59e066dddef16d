"""A partition of a topic: messages in the order in which they were acknowledged, numbered from 0.

One event holds what one request brought. To take the next one only the last has to be known, so a partition costs the
same however much it holds.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from domain.decider import Decider
from domain.event import Event
from domain.value import State, Value


class Offsets(Value):
    """A place in a partition: so many messages are before it, and so many whole entries of its stream. In a topic that
    holds the log the offset is a position, and entries are not counted."""

    offset: int
    entries: int = 0


START: Final = Offsets(offset=0)


class MessagesProduced(Event, topic="streams.partition.produced.v1", private=("values",)):
    """`values` is a JSON array of so many messages, each as it came, byte for byte; `offset` is that of the first, and
    `entry` the number of this entry of the partition, from 1. The values leave the log for whoever reads the topic, and
    for nobody else."""

    name: str
    partition: int
    entry: int
    offset: int
    count: int
    values: msgspec.Raw


class Partition(State):
    """`end` is where the next message goes."""

    end: Offsets


# Decide


def produce(
    partition: Partition | None, name: str, number: int, count: int, values: msgspec.Raw
) -> Sequence[MessagesProduced]:
    """Messages that came together stay together."""
    end = partition.end if partition else START
    return (
        MessagesProduced(
            name=name, partition=number, entry=end.entries + 1, offset=end.offset, count=count, values=values
        ),
    )


# Evolve


def evolve(partition: Partition | None, event: Event) -> Partition | None:
    match event:
        case MessagesProduced():
            return Partition(end=Offsets(offset=event.offset + event.count, entries=event.entry))
    return partition


PARTITION = Decider("streams.partition", Partition, evolve, tail=1)
