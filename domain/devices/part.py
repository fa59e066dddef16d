"""What a device is made of. Sensors and actors live by the same rules under names of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from msgspec.structs import replace

from domain.errors import AlreadyExistsError, InvalidError, NotFoundError
from domain.event import Event
from domain.value import State, Value

PartOrigin = Literal["discovery", "api"]


class PartDescription(Value):
    """How a part describes itself: the four documented fields of a sensor or an actor."""

    id: UUID
    name: str
    type: str
    data_type_id: int


class PartAdded(Event):
    device_id: UUID
    name: str
    type: str
    data_type_id: int
    origin: PartOrigin


class PartRedescribed(Event):
    name: str
    type: str
    data_type_id: int


class PartRetired(Event):
    """No longer announced by its device: hidden, its readings kept."""

    reason: str


class PartRevived(Event):
    """Announced again after it was retired."""


class PartMoved(Event):
    """A person gave the part to another device, which is now the one that it belongs to."""

    device_id: UUID


class PartRemoved(Event):
    """The part is gone, its readings too. It begins anew when its device announces it again."""


class Part(State):
    device_id: UUID
    name: str
    type: str
    data_type_id: int
    origin: PartOrigin
    retired: bool = False


@dataclass(frozen=True)
class PartEvents:
    """The event classes of one kind of part."""

    added: type[PartAdded]
    redescribed: type[PartRedescribed]
    retired: type[PartRetired]
    revived: type[PartRevived]
    moved: type[PartMoved]
    removed: type[PartRemoved]

    @property
    def all(self) -> Sequence[type[Event]]:
        return tuple(vars(self).values())


class PartCorrection(Value):
    """What a person changes about a part; what is absent stays."""

    device_id: UUID | None = None
    name: str | None = None
    type: str | None = None
    data_type_id: int | None = None


class PartNotFoundError(NotFoundError):
    code = "devices.part_not_found"


class PartExistsError(AlreadyExistsError):
    code = "devices.part_exists"


class PartOfAnotherDeviceError(InvalidError):
    code = "devices.part_of_another_device"


# Decide


def add(part: Part | None, described: PartDescription, device_id: UUID, events: PartEvents) -> Sequence[Event]:
    """A person gives the device this part."""
    if part is not None:
        raise PartExistsError("There is a part of this id; change it instead.")
    return (
        events.added(
            device_id=device_id,
            name=described.name,
            type=described.type,
            data_type_id=described.data_type_id,
            origin="api",
        ),
    )


def correct(part: Part, told: PartCorrection, events: PartEvents) -> Sequence[Event]:
    """A person changes what is known of the part, or which device it belongs to."""
    changes: list[Event] = []
    if told.device_id not in (None, part.device_id):
        changes.append(events.moved(device_id=told.device_id))
    described = (
        part.name if told.name is None else told.name,
        part.type if told.type is None else told.type,
        part.data_type_id if told.data_type_id is None else told.data_type_id,
    )
    if described != (part.name, part.type, part.data_type_id):
        name, type, data_type_id = described
        changes.append(events.redescribed(name=name, type=type, data_type_id=data_type_id))
    return changes


def remove(part: Part | None, events: PartEvents) -> Sequence[Event]:
    return () if part is None else (events.removed(),)


def announce(part: Part | None, described: PartDescription, device_id: UUID, events: PartEvents) -> Sequence[Event]:
    """A device says that it has this part. Idempotent; a part never changes hands by announcement."""
    if part is None:
        return (
            events.added(
                device_id=device_id,
                name=described.name,
                type=described.type,
                data_type_id=described.data_type_id,
                origin="discovery",
            ),
        )
    if part.device_id != device_id:
        raise PartOfAnotherDeviceError(f"{described.id} belongs to another device; nothing was changed.")
    changes: list[Event] = []
    if part.retired:
        changes.append(events.revived())
    if (part.name, part.type, part.data_type_id) != (described.name, described.type, described.data_type_id):
        changes.append(
            events.redescribed(name=described.name, type=described.type, data_type_id=described.data_type_id)
        )
    return changes


def retire(part: Part | None, reason: str, events: PartEvents) -> Sequence[Event]:
    """The part is no longer announced. Parts made over the API are not the device's to retire."""
    if part is None or part.retired or part.origin == "api":
        return ()
    return (events.retired(reason=reason),)


# Evolve


def evolve(part: Part | None, event: Event) -> Part | None:
    match event, part:
        case PartAdded(), _:
            return Part(
                device_id=event.device_id,
                name=event.name,
                type=event.type,
                data_type_id=event.data_type_id,
                origin=event.origin,
            )
        case PartRedescribed(), Part():
            return replace(part, name=event.name, type=event.type, data_type_id=event.data_type_id)
        case PartRetired(), Part():
            return replace(part, retired=True)
        case PartRevived(), Part():
            return replace(part, retired=False)
        case PartMoved(), Part():
            # Where a person put it, no device that leaves it out of an announcement retires it.
            return replace(part, device_id=event.device_id, origin="api")
        case PartRemoved(), _:
            return None
    return part
