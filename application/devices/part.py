"""Sensors and actors that persons give to devices, change and take away: the same rules for both kinds."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from application.command import Aggregates, Change, Command, Handler, change
from domain.decider import Decider
from domain.devices import device, part
from domain.devices.actor import ACTOR, ACTOR_EVENTS
from domain.devices.device import DEVICE
from domain.devices.part import Part, PartCorrection, PartDescription, PartEvents, PartNotFoundError
from domain.devices.sensor import SENSOR, SENSOR_EVENTS
from domain.event import Event

PartKind = Literal["sensor", "actor"]


class Kind(NamedTuple):
    """Under which names a kind of part lives."""

    decider: Decider[Part]
    events: PartEvents


KINDS: Mapping[PartKind, Kind] = {"sensor": Kind(SENSOR, SENSOR_EVENTS), "actor": Kind(ACTOR, ACTOR_EVENTS)}


class AddPart(Command):
    """A person gives a device a part, under an id that the caller makes."""

    kind: PartKind
    device_id: UUID
    described: PartDescription


def add_part(command: AddPart, aggregates: Aggregates) -> Sequence[Change]:
    decider, events = KINDS[command.kind]
    id = command.described.id
    known = aggregates.find(decider, id)
    fitted = _fitted(aggregates, command.kind, id, command.device_id)
    return [change(decider, id, part.add(known, command.described, command.device_id, events)), fitted]


class CorrectPart(Command):
    """A person changes what is known of a part, or moves it to another device. What `told` leaves out stays."""

    kind: PartKind
    part_id: UUID
    told: PartCorrection


def correct_part(command: CorrectPart, aggregates: Aggregates) -> Sequence[Change]:
    decider, events = KINDS[command.kind]
    known = _in_service(aggregates, command.kind, command.part_id)
    corrected = change(decider, command.part_id, part.correct(known, command.told, events))
    owner = command.told.device_id
    if owner is None or owner == known.device_id:
        return [corrected]
    return [
        corrected,
        _stripped(aggregates, command.kind, command.part_id, known.device_id),
        _fitted(aggregates, command.kind, command.part_id, owner),
    ]


class RemovePart(Command):
    kind: PartKind
    part_id: UUID


def remove_part(command: RemovePart, aggregates: Aggregates) -> Sequence[Change]:
    decider, events = KINDS[command.kind]
    known = _in_service(aggregates, command.kind, command.part_id)
    return [
        change(decider, command.part_id, part.remove(known, events)),
        _stripped(aggregates, command.kind, command.part_id, known.device_id),
    ]


def _in_service(aggregates: Aggregates, kind: PartKind, part_id: UUID) -> Part:
    known = aggregates.find(KINDS[kind].decider, part_id)
    if known is None or known.retired:
        raise PartNotFoundError(f"There is no {kind} {part_id} in service.")
    return known


def _fitted(aggregates: Aggregates, kind: PartKind, part_id: UUID, device_id: UUID) -> Change:
    """The device learns of its part, so that it can be asked what it consists of. Refused when there is none."""
    owner = aggregates.find(DEVICE, device_id)
    events: Sequence[Event] = (
        device.fit(owner, sensors=(part_id,)) if kind == "sensor" else device.fit(owner, actors=(part_id,))
    )
    return change(DEVICE, device_id, events)


def _stripped(aggregates: Aggregates, kind: PartKind, part_id: UUID, device_id: UUID) -> Change:
    owner = aggregates.find(DEVICE, device_id)
    events: Sequence[Event] = (
        device.strip(owner, sensors=(part_id,)) if kind == "sensor" else device.strip(owner, actors=(part_id,))
    )
    return change(DEVICE, device_id, events)


HANDLERS: Mapping[type[Command], Handler] = {
    AddPart: add_part,
    CorrectPart: correct_part,
    RemovePart: remove_part,
}
