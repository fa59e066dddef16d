"""A thing is a device too: it is announced, present, measured and removed like any other, in the decision that
concerns the thing. Its id is the device's."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from application.command import Aggregates, Change, change
from application.devices.device import AnnounceDevice, RemoveDevice, announce_device, remove_device
from application.devices.readings import RecordReadings, record_readings
from domain.connectors.properties import PropertyValue
from domain.connectors.thing import PropertyType, Thing, ThingStatus, properties
from domain.devices import device
from domain.devices.device import DEVICE, OFFLINE, Device
from domain.devices.part import PartDescription
from domain.devices.readings import READINGS, Reading, is_measured, record
from domain.devices.sensor import SENSOR
from domain.event import Event
from domain.identifiers import readings_id, thing_sensor_id

ROAD = "connector"

# The registry's own words for what a sensor measures (contract devices 3.1): a number, a truth.
_DATA_TYPES: dict[PropertyType, int] = {"NUMBER": 2, "BOOLEAN": 1}
_TRUTHS = {"true": 1.0, "false": 0.0}


class ThingsAsDevices:
    """Fills `application.connectors.registry.DeviceRegistry`."""

    def made(
        self, aggregates: Aggregates, thing_id: UUID, thing: Thing, values: Sequence[PropertyValue]
    ) -> Sequence[Change]:
        return when_thing_made_then_announce_device(aggregates, thing_id, thing, values)

    def status_changed(self, aggregates: Aggregates, thing_id: UUID, status: ThingStatus) -> Sequence[Change]:
        return when_status_changed_then_report_presence(aggregates, thing_id, status)

    def updated(
        self, aggregates: Aggregates, values: Mapping[UUID, tuple[Thing, Sequence[PropertyValue]]]
    ) -> Sequence[Change]:
        return when_properties_updated_then_record_readings(aggregates, values)

    def removed(self, aggregates: Aggregates, thing_ids: Collection[UUID]) -> Sequence[Change]:
        return when_things_removed_then_remove_devices(aggregates, thing_ids)


def when_thing_made_then_announce_device(
    aggregates: Aggregates, thing_id: UUID, thing: Thing, values: Sequence[PropertyValue]
) -> Sequence[Change]:
    """Every property that can be measured is a sensor. Its values are recorded directly, since the decision that
    announces a sensor cannot find it yet. Whether it is there is said by its status alone, hence not `live`."""
    sensors = tuple(
        PartDescription(
            id=thing_sensor_id(thing_id, component.id, known.id),
            name=f"{component.name} {known.name}".strip(),
            type=known.property_type or known.id,
            data_type_id=_DATA_TYPES[known.type],
        )
        for component, known in properties(thing)
        if known.type in _DATA_TYPES
    )
    announcement = AnnounceDevice(
        device_id=thing_id,
        name=thing.description.name,
        description=thing.description.manufacturer,
        sensors=sensors,
        live=False,
    )
    announced, *parts = announce_device(announcement, aggregates)
    after = DEVICE.fold(announced.events, aggregates.find(DEVICE, thing_id))
    present = [*announced.events, *_presence(after, thing.status)]
    changes = [change(DEVICE, thing_id, present), *parts]
    if measured := _readings(thing_id, thing, values):
        stream = readings_id(thing_id, aggregates.now.date())
        changes.append(change(READINGS, stream, record(thing_id, measured)))
    return changes


def when_status_changed_then_report_presence(
    aggregates: Aggregates, thing_id: UUID, status: ThingStatus
) -> Sequence[Change]:
    return [change(DEVICE, thing_id, _presence(aggregates.find(DEVICE, thing_id), status))]


def when_properties_updated_then_record_readings(
    aggregates: Aggregates, values: Mapping[UUID, tuple[Thing, Sequence[PropertyValue]]]
) -> Sequence[Change]:
    """Of all things at once, so that what the decision looks at is loaded once."""
    readings = tuple(reading for id, (thing, updated) in values.items() for reading in _readings(id, thing, updated))
    return record_readings(RecordReadings(readings=readings), aggregates) if readings else ()


def when_things_removed_then_remove_devices(aggregates: Aggregates, thing_ids: Collection[UUID]) -> Sequence[Change]:
    """A person may have removed them before. All parts are looked for first, so that they are loaded at once."""
    devices = {id: known for id, known in aggregates.find_many(DEVICE, thing_ids).items() if known is not None}
    aggregates.find_many(SENSOR, [id for known in devices.values() for id in known.owned_sensors])
    return [removed for id in devices for removed in remove_device(RemoveDevice(device_id=id), aggregates)]


def _readings(thing_id: UUID, thing: Thing, values: Sequence[PropertyValue]) -> Sequence[Reading]:
    types = {(component.id, known.id): known.type for component, known in properties(thing)}
    readings = (
        Reading(
            sensor_id=thing_sensor_id(thing_id, value.component_id, value.property_id),
            value=measured,
            value_at=value.at,
        )
        for value in values
        if (measured := _measured(value.value, types.get((value.component_id, value.property_id)))) is not None
    )
    return [reading for reading in readings if is_measured(reading)]


def _presence(known: Device | None, status: ThingStatus) -> Sequence[Event]:
    """Of a thing of which nobody knows whether it is there, nothing is said."""
    if status == "AVAILABLE":
        return device.connect(known, ROAD)
    if status == "UNAVAILABLE":
        return device.report_presence(known, OFFLINE, "unavailable", ROAD)
    return ()


def _measured(value: str, type: PropertyType | None) -> float | None:
    if type == "BOOLEAN":
        return _TRUTHS.get(value.lower())
    if type != "NUMBER":
        return None
    try:
        return float(value)
    except ValueError:
        return None
