"""What a device measured. One stream per device and day, one event per message, never replayed to go on."""

from collections.abc import Sequence
from datetime import datetime
from math import isfinite
from uuid import UUID

from domain.decider import Decider
from domain.errors import InvalidError
from domain.event import Event
from domain.identifiers import VALUES_PER_EVENT
from domain.value import State, Value


class Reading(Value):
    """One value. `value_at` is the device's own time; absent means that the time of recording stands for it."""

    sensor_id: UUID
    value: float
    value_at: datetime | None = None


class ReadingsRecorded(Event, topic="devices.readings.recorded.v1"):
    """Values of one device that arrived together. Their public ids follow from the event's position."""

    device_id: UUID
    readings: tuple[Reading, ...]


class Readings(State):
    """Nothing: a day of readings takes the next ones without looking back."""


class ValueNotFiniteError(InvalidError):
    """Not a number that can be stored and read again."""

    code = "devices.value_not_finite"


class SensorUnknownError(InvalidError):
    """There is no such sensor in service: never added, retired, or another device's."""

    code = "devices.sensor_unknown"


# Decide


def is_measured(reading: Reading) -> bool:
    """Whether the value is a number. JSON has no word for the others, so none may get into the log."""
    return isfinite(reading.value)


def record(device_id: UUID, readings: Sequence[Reading]) -> Sequence[Event]:
    """One event for all values that arrived together; more than an event's worth is cut."""
    if len(readings) == 1:
        return (ReadingsRecorded(device_id=device_id, readings=tuple(readings)),)
    return [
        ReadingsRecorded(device_id=device_id, readings=tuple(readings[start : start + VALUES_PER_EVENT]))
        for start in range(0, len(readings), VALUES_PER_EVENT)
    ]


# Evolve


def evolve(state: Readings | None, event: Event) -> Readings | None:
    return state


READINGS = Decider("devices.readings", Readings, evolve, tail=0)
