"""A thing is a device too: it is announced, present, measured and removed like any other, in the decision that
concerns the thing. Its id is the device's."""

from collections.abc import Sequence
from uuid import UUID

from application.command import Aggregates, Change, change
from application.devices.device import AnnounceDevice, RemoveDevice, announce_device, remove_device
from application.devices.readings import RecordReadings, record_readings
from domain.connectors.properties import PropertyValue
from domain.connectors.thing import PropertyType, Thing, ThingStatus, properties
from domain.devices import device
from domain.devices.device import DEVICE, OFFLINE, Device
from domain.devices.part import PartDescription
from domain.devices.readings import Reading
from domain.event import Event
from domain.identifiers import thing_sensor_id

ROAD = "connector"

# The registry's own words for what a sensor measures (contract devices 3.1): a number, a truth.
_DATA_TYPES: dict[PropertyType, int] = {"NUMBER": 2, "BOOLEAN": 1}
_TRUTHS = {"true": 1.0, "false": 0.0}


class ThingsAsDevices:
    """Fills `application.connectors.registry.DeviceRegistry`."""

    def made(self, aggregates: Aggregates, thing_id: UUID, thing: Thing) -> Sequence[Change]:
        return when_thing_made_then_announce_device(aggregates, thing_id, thing)

    def status_changed(self, aggregates: Aggregates, thing_id: UUID, status: ThingStatus) -> Sequence[Change]:
        return when_status_changed_then_report_presence(aggregates, thing_id, status)

    def updated(
        self, aggregates: Aggregates, thing_id: UUID, thing: Thing, values: Sequence[PropertyValue]
    ) -> Sequence[Change]:
        return when_properties_updated_then_record_readings(aggregates, thing_id, thing, values)

    def removed(self, aggregates: Aggregates, thing_id: UUID) -> Sequence[Change]:
        return when_thing_removed_then_remove_device(aggregates, thing_id)


def when_thing_made_then_announce_device(aggregates: Aggregates, thing_id: UUID, thing: Thing) -> Sequence[Change]:
    """Every property that can be measured is a sensor."""
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
        device_id=thing_id, name=thing.description.name, description=thing.description.manufacturer, sensors=sensors
    )
    announced, *parts = announce_device(announcement, aggregates)
    after = DEVICE.fold(announced.events, aggregates.find(DEVICE, thing_id))
    present = [*announced.events, *_presence(after, thing.status)]
    return [change(DEVICE, thing_id, present), *parts]


def when_status_changed_then_report_presence(
    aggregates: Aggregates, thing_id: UUID, status: ThingStatus
) -> Sequence[Change]:
    return [change(DEVICE, thing_id, _presence(aggregates.find(DEVICE, thing_id), status))]


def when_properties_updated_then_record_readings(
    aggregates: Aggregates, thing_id: UUID, thing: Thing, values: Sequence[PropertyValue]
) -> Sequence[Change]:
    types = {(component.id, known.id): known.type for component, known in properties(thing)}
    readings = tuple(
        Reading(
            sensor_id=thing_sensor_id(thing_id, value.component_id, value.property_id),
            value=measured,
            value_at=value.at,
        )
        for value in values
        if (measured := _measured(value.value, types.get((value.component_id, value.property_id)))) is not None
    )
    return record_readings(RecordReadings(readings=readings, device_id=thing_id), aggregates) if readings else ()


def when_thing_removed_then_remove_device(aggregates: Aggregates, thing_id: UUID) -> Sequence[Change]:
    """A person may have removed it before."""
    if aggregates.find(DEVICE, thing_id) is None:
        return ()
    return remove_device(RemoveDevice(device_id=thing_id), aggregates)


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
