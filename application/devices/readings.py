"""What devices measure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from application.command import Aggregates, Change, Command, Handler, Receipt, change
from domain.devices import command as commands
from domain.devices import device, readings
from domain.devices.command import COMMANDS
from domain.devices.device import DEVICE, Device
from domain.devices.readings import READINGS, Reading, ReadingsRecorded, SensorUnknownError, ValueNotFiniteError
from domain.devices.sensor import SENSOR
from domain.identifiers import commands_id, reading_id, readings_id


class RecordReading(Command):
    """One reading by a person or program: the sensor must be in service, or the whole is refused."""

    reading: Reading


def record_reading(command: RecordReading, aggregates: Aggregates) -> Sequence[Change]:
    sensor = aggregates.find(SENSOR, command.reading.sensor_id)
    if sensor is None or sensor.retired:
        raise SensorUnknownError("sensor not found")
    if not readings.is_measured(command.reading):
        raise ValueNotFiniteError("The value must be a finite number.")
    known = aggregates.find(DEVICE, sensor.device_id)
    return _recorded(aggregates, sensor.device_id, known, (command.reading,))


class RecordReadings(Command):
    """Readings as they came in one message. Those of sensors not in service, and values that are no numbers, are
    left out, the rest is kept.

    `device_id` is who sent them, when that is known: a device reports its own sensors only.
    """

    readings: tuple[Reading, ...]
    device_id: UUID | None = None


def record_readings(command: RecordReadings, aggregates: Aggregates) -> Sequence[Change]:
    named = dict.fromkeys(reading.sensor_id for reading in command.readings)
    of_device: dict[UUID, list[Reading]] = {}
    of_sensor: dict[UUID, list[Reading]] = {}
    for sensor_id, sensor in aggregates.find_many(SENSOR, named).items():
        if sensor is None or sensor.retired or command.device_id not in (None, sensor.device_id):
            continue
        of_sensor[sensor_id] = of_device.setdefault(sensor.device_id, [])
    for reading in command.readings:
        measured = of_sensor.get(reading.sensor_id)
        if measured is not None and readings.is_measured(reading):
            measured.append(reading)
    known = aggregates.find_many(DEVICE, of_device)
    return [
        recorded
        for device_id, measured in of_device.items()
        if measured
        for recorded in _recorded(aggregates, device_id, known[device_id], measured)
    ]


def recorded_ids(receipt: Receipt) -> Mapping[UUID, Sequence[int]]:
    """The public ids of what a command recorded, by sensor, in the order in which the command named them. Either all
    measured values of a sensor were recorded or none."""
    ids: dict[UUID, list[int]] = defaultdict(list)
    for offset, event in enumerate(receipt.events):
        if isinstance(event, ReadingsRecorded):
            for id, reading in enumerate(event.readings, reading_id(receipt.first + offset, 0)):
                ids[reading.sensor_id].append(id)
    return ids


def _recorded(
    aggregates: Aggregates, device_id: UUID, known: Device | None, measured: Sequence[Reading]
) -> Sequence[Change]:
    stream = readings_id(device_id, aggregates.now.date())
    recorded = change(READINGS, stream, readings.record(device_id, measured))
    signs = device.hear(known)
    if known is None or not known.answer_awaited:
        return (recorded, change(DEVICE, device_id, signs)) if signs else (recorded,)
    # What was triggered is answered by what is then measured.
    stream = commands_id(device_id)
    asked = aggregates.find(COMMANDS, stream)
    values = {reading.sensor_id: reading.value for reading in measured}
    answers = commands.measure(asked, values, aggregates.now)
    if not commands.awaits_reading(COMMANDS.fold(answers, asked), aggregates.now):
        signs = (*signs, *device.settle_answer(known))
    return (recorded, change(COMMANDS, stream, answers), change(DEVICE, device_id, signs))


HANDLERS: Mapping[type[Command], Handler] = {
    RecordReading: record_reading,
    RecordReadings: record_readings,
}
