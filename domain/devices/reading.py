"""What becomes of one reading after it was recorded: it may be corrected, and it may be removed.

That it was recorded is a fact of its day's stream (`domain.devices.readings`), which never changes. So the state
here begins with the first correction or removal, and who decides brings along what was recorded.
"""

from collections.abc import Sequence
from datetime import datetime
from math import isfinite
from uuid import UUID

from domain.decider import Decider
from domain.devices.readings import ValueNotFiniteError
from domain.errors import NotFoundError
from domain.event import Event
from domain.value import State, Value


class ReadingCorrected(Event, topic="devices.reading.corrected.v1"):
    """The reading holds this value and this time from now on."""

    reading_id: int
    sensor_id: UUID
    value: float
    value_at: datetime


class ReadingRemoved(Event, topic="devices.reading.removed.v1"):
    """The reading is no longer among those of its sensor. Its id is never used again."""

    reading_id: int
    sensor_id: UUID


class Measurement(Value):
    """What a reading says."""

    value: float
    value_at: datetime


class RecordedReading(Value):
    """A reading by its public id, as it was recorded."""

    id: int
    sensor_id: UUID
    measurement: Measurement


class Amended(State):
    """A reading that was touched after it was recorded; what it says now is None once it is removed."""

    measurement: Measurement | None = None


# Decide


def correct(
    amended: Amended | None, recorded: RecordedReading, value: float | None, value_at: datetime | None
) -> Sequence[Event]:
    """What is None stays as it is."""
    present = _present(amended, recorded)
    if value is not None and not isfinite(value):
        raise ValueNotFiniteError("The value must be a finite number.")
    corrected = Measurement(
        value=present.value if value is None else value,
        value_at=present.value_at if value_at is None else value_at,
    )
    if corrected == present:
        return ()
    return (
        ReadingCorrected(
            reading_id=recorded.id,
            sensor_id=recorded.sensor_id,
            value=corrected.value,
            value_at=corrected.value_at,
        ),
    )


def remove(amended: Amended | None, recorded: RecordedReading) -> Sequence[Event]:
    _present(amended, recorded)
    return (ReadingRemoved(reading_id=recorded.id, sensor_id=recorded.sensor_id),)


def _present(amended: Amended | None, recorded: RecordedReading) -> Measurement:
    measurement = recorded.measurement if amended is None else amended.measurement
    if measurement is None:
        raise NotFoundError("The reading was removed.")
    return measurement


# Evolve


def evolve(amended: Amended | None, event: Event) -> Amended | None:
    match event:
        case ReadingCorrected():
            return Amended(measurement=Measurement(value=event.value, value_at=event.value_at))
        case ReadingRemoved():
            return Amended()
    return amended


READING = Decider("devices.reading", Amended, evolve)
