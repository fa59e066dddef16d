"""Correcting and removing single readings.

Who sends these commands has found the reading before: that it was recorded cannot become untrue. What it says now,
and whether it is still there, is decided from what the log has of it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from application.command import Aggregates, Change, Command, Handler, change
from domain.devices import reading
from domain.devices.reading import READING, RecordedReading
from domain.identifiers import amendment_id


class CorrectReading(Command):
    """Gives the reading another value or time; what is None stays."""

    recorded: RecordedReading
    value: float | None = None
    value_at: datetime | None = None


def correct_reading(command: CorrectReading, aggregates: Aggregates) -> Sequence[Change]:
    id = amendment_id(command.recorded.id)
    amended = aggregates.find(READING, id)
    return [change(READING, id, reading.correct(amended, command.recorded, command.value, command.value_at))]


class RemoveReading(Command):
    recorded: RecordedReading


def remove_reading(command: RemoveReading, aggregates: Aggregates) -> Sequence[Change]:
    id = amendment_id(command.recorded.id)
    return [change(READING, id, reading.remove(aggregates.find(READING, id), command.recorded))]


HANDLERS: Mapping[type[Command], Handler] = {
    CorrectReading: correct_reading,
    RemoveReading: remove_reading,
}
