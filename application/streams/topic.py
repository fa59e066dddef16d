"""What is decided about a topic, beside its messages."""

from collections.abc import Mapping, Sequence
from datetime import date

from application.command import Aggregates, Change, Command, Handler, change
from domain.identifiers import topic_id
from domain.streams import topic
from domain.streams.partition import Offsets
from domain.streams.topic import TOPIC, Retention


class SetRetention(Command):
    name: str
    retention: Retention


def set_retention(command: SetRetention, aggregates: Aggregates) -> Sequence[Change]:
    id = topic_id(command.name)
    return (change(TOPIC, id, topic.set_retention(aggregates.find(TOPIC, id), command.name, command.retention)),)


class CloseDay(Command):
    """Everything up to the end of the day is not read any more; each partition begins at `first`."""

    name: str
    day: date
    first: tuple[Offsets, ...]
    archive: str = ""


def close_day(command: CloseDay, aggregates: Aggregates) -> Sequence[Change]:
    id = topic_id(command.name)
    closed = topic.close_day(aggregates.find(TOPIC, id), command.name, command.day, command.first, command.archive)
    return (change(TOPIC, id, closed),)


HANDLERS: Mapping[type[Command], Handler] = {SetRetention: set_retention, CloseDay: close_day}
