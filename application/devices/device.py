"""Devices: what persons enter, what devices announce, and presence."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from application.command import Aggregates, Change, Command, Handler, change
from domain.decider import Decider
from domain.devices import device, external_id, part
from domain.devices.actor import ACTOR, ACTOR_EVENTS
from domain.devices.device import DEVICE, Announcement, Correction, Device, DeviceNotFoundError, Status
from domain.devices.external_id import EXTERNAL_ID
from domain.devices.part import Part, PartDescription, PartEvents
from domain.devices.sensor import SENSOR, SENSOR_EVENTS
from domain.errors import InvalidError
from domain.identifiers import external_device_id


class RegisterDevice(Command):
    """A person enters a device under an id that the caller makes."""

    device_id: UUID
    name: str
    description: str
    location: str
    status: Status
    external_id: str | None = None


def register_device(command: RegisterDevice, aggregates: Aggregates) -> Sequence[Change]:
    known = aggregates.find(DEVICE, command.device_id)
    events = device.register(
        known, command.name, command.description, command.location, command.status, command.external_id
    )
    return [
        change(DEVICE, command.device_id, events),
        *_renamed(aggregates, command.device_id, None, command.external_id),
    ]


class CorrectDevice(Command):
    """A person changes what is known of a device. What `told` leaves out stays."""

    device_id: UUID
    told: Correction


def correct_device(command: CorrectDevice, aggregates: Aggregates) -> Sequence[Change]:
    known = _existing(aggregates, command.device_id)
    after = known.external_id if command.told.external_id is None else command.told.external_id
    return [
        change(DEVICE, command.device_id, device.correct(known, command.told)),
        *_renamed(aggregates, command.device_id, known.external_id, after),
    ]


class RemoveDevice(Command):
    device_id: UUID


def remove_device(command: RemoveDevice, aggregates: Aggregates) -> Sequence[Change]:
    """The device and everything it consists of, in one decision."""
    known = _existing(aggregates, command.device_id)
    sensors = aggregates.find_many(SENSOR, known.owned_sensors)
    actors = aggregates.find_many(ACTOR, known.owned_actors)
    return [
        change(DEVICE, command.device_id, device.remove(known)),
        *(change(SENSOR, id, part.remove(sensor, SENSOR_EVENTS)) for id, sensor in sensors.items()),
        *(change(ACTOR, id, part.remove(actor, ACTOR_EVENTS)) for id, actor in actors.items()),
        *_renamed(aggregates, command.device_id, known.external_id, None),
    ]


def _existing(aggregates: Aggregates, device_id: UUID) -> Device:
    known = aggregates.find(DEVICE, device_id)
    if known is None:
        raise DeviceNotFoundError(f"There is no device {device_id}.")
    return known


def _renamed(aggregates: Aggregates, device_id: UUID, before: str | None, after: str | None) -> Sequence[Change]:
    """The name that other systems had for the device becomes free, the one they have now is claimed."""
    if (before or None) == (after or None):
        return ()
    changes: list[Change] = []
    if before:
        id = external_device_id(before)
        changes.append(change(EXTERNAL_ID, id, external_id.release(aggregates.find(EXTERNAL_ID, id), device_id)))
    if after:
        id = external_device_id(after)
        changes.append(change(EXTERNAL_ID, id, external_id.claim(aggregates.find(EXTERNAL_ID, id), after, device_id)))
    return changes


class AnnounceDevice(Command):
    """A discovery message (contract 3.2). `sensors` or `actors` absent: what is known of them stays.

    `live` is false for a copy that the broker had kept: it says nothing about the present.
    """

    device_id: UUID
    mac_address: str | None = None
    name: str | None = None
    description: str | None = None
    location: str | None = None
    sensors: tuple[PartDescription, ...] | None = None
    actors: tuple[PartDescription, ...] | None = None
    live: bool = True


class DuplicatePartError(InvalidError):
    code = "devices.duplicate_part"


def announce_device(command: AnnounceDevice, aggregates: Aggregates) -> Sequence[Change]:
    """The device and all its parts in one decision: everything or nothing."""
    known = aggregates.find(DEVICE, command.device_id)
    told = Announcement(
        name=command.name,
        description=command.description,
        location=command.location,
        mac_address=command.mac_address,
        sensors=_ids(command.sensors),
        actors=_ids(command.actors),
        live=command.live,
    )
    return [
        change(DEVICE, command.device_id, device.announce(known, told)),
        *_synced(command, aggregates, SENSOR, SENSOR_EVENTS, command.sensors, known.sensors if known else ()),
        *_synced(command, aggregates, ACTOR, ACTOR_EVENTS, command.actors, known.actors if known else ()),
    ]


def _ids(parts: Sequence[PartDescription] | None) -> tuple[UUID, ...] | None:
    if parts is None:
        return None
    ids = tuple(described.id for described in parts)
    if len(set(ids)) != len(ids):
        raise DuplicatePartError("The announcement names the same sensor or actor twice; nothing was changed.")
    return ids


def _synced(
    command: AnnounceDevice,
    aggregates: Aggregates,
    decider: Decider[Part],
    events: PartEvents,
    announced: Sequence[PartDescription] | None,
    known: Sequence[UUID],
) -> Sequence[Change]:
    if announced is None:
        return ()
    missing = set(known) - {described.id for described in announced}
    states = aggregates.find_many(decider, [*(described.id for described in announced), *sorted(missing)])
    return [
        *(
            change(
                decider,
                described.id,
                part.announce(states[described.id], described, command.device_id, events),
            )
            for described in announced
        ),
        *(change(decider, id, part.retire(states[id], "not announced", events)) for id in sorted(missing)),
    ]


class ReportPresence(Command):
    """The device's own word about itself, or the broker's (its will), already understood as a status."""

    device_id: UUID
    status: Status
    word: str
    through: str


def report_presence(command: ReportPresence, aggregates: Aggregates) -> Sequence[Change]:
    known = aggregates.find(DEVICE, command.device_id)
    events = device.report_presence(known, command.status, command.word, command.through)
    return [change(DEVICE, command.device_id, events)]


class ReportSilence(Command):
    """Nothing was heard of the device for too long."""

    device_id: UUID


def report_silence(command: ReportSilence, aggregates: Aggregates) -> Sequence[Change]:
    return [change(DEVICE, command.device_id, device.fall_silent(aggregates.find(DEVICE, command.device_id)))]


HANDLERS: Mapping[type[Command], Handler] = {
    RegisterDevice: register_device,
    CorrectDevice: correct_device,
    RemoveDevice: remove_device,
    AnnounceDevice: announce_device,
    ReportPresence: report_presence,
    ReportSilence: report_silence,
}
