"""What an operator does to a group."""

from collections.abc import Mapping, Sequence

from application.command import Aggregates, Change, Command, Handler, change
from domain.identifiers import group_id
from domain.streams import group
from domain.streams.group import GROUP, Mark


class SeekGroup(Command):
    """The group is to read on from there."""

    group: str
    marks: tuple[Mark, ...]


def seek_group(command: SeekGroup, aggregates: Aggregates) -> Sequence[Change]:
    id = group_id(command.group)
    return (change(GROUP, id, group.seek(aggregates.find(GROUP, id), command.marks)),)


HANDLERS: Mapping[type[Command], Handler] = {SeekGroup: seek_group}
