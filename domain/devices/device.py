"""A device of the fleet: what it calls itself, what it consists of, how it fares and whether it is there."""

from collections.abc import Sequence
from typing import Final, Literal
from uuid import UUID

from msgspec.structs import replace

from domain.decider import Decider
from domain.errors import AlreadyExistsError, InvalidError, NotFoundError
from domain.event import Event
from domain.identifiers import bare_mac_address
from domain.value import State, Value

Status = Literal[1, 2, 3, 4]
OK: Final = 1
WARNING: Final = 2
ERROR: Final = 3
OFFLINE: Final = 4

StatusReason = Literal["announced", "presence", "silent", "heard", "set"]


class DeviceDiscovered(Event, topic="devices.device.discovered.v1"):
    """A device announced itself for the first time."""

    name: str
    description: str
    location: str
    mac_address: str | None = None


class DeviceRegistered(Event, topic="devices.device.registered.v1"):
    """A person entered the device; it has said nothing itself so far."""

    name: str
    description: str
    location: str
    status: Status


class DeviceRedescribed(Event, topic="devices.device.redescribed.v1"):
    name: str
    description: str
    location: str
    mac_address: str | None = None


class DeviceInventoryAnnounced(Event, topic="devices.device.inventory_announced.v1"):
    """Which sensors and actors the device says it has now; what is missing here was retired."""

    sensors: tuple[UUID, ...]
    actors: tuple[UUID, ...]


class DeviceFitted(Event, topic="devices.device.fitted.v1"):
    """A person gave the device these parts."""

    sensors: tuple[UUID, ...]
    actors: tuple[UUID, ...]


class DeviceStripped(Event, topic="devices.device.stripped.v1"):
    """A person took these parts from the device: they were removed, or belong to another one now."""

    sensors: tuple[UUID, ...]
    actors: tuple[UUID, ...]


class DeviceExternallyIdentified(Event, topic="devices.device.externally_identified.v1"):
    """What other systems call the device; None when they no longer have a name for it."""

    external_id: str | None = None


class DeviceStatusChanged(Event, topic="devices.device.status_changed.v1"):
    status: Status
    reason: StatusReason


class DeviceConnected(Event, topic="devices.device.connected.v1"):
    """The device said that it is there. `through` names the road: `mqtt` or `websocket`."""

    through: str


class DeviceDisconnected(Event, topic="devices.device.disconnected.v1"):
    through: str
    reason: str


class DeviceRemoved(Event, topic="devices.device.removed.v1"):
    """The device is gone, and with it everything it consisted of. It begins anew when it announces itself again."""


class DeviceAnswerAwaited(Event, topic="devices.device.answer_awaited.v1"):
    """A sensor of it was triggered, so that its next readings may be an answer."""


class DeviceAnswerSettled(Event, topic="devices.device.answer_settled.v1"):
    """No trigger waits any more: answered, or too old."""


class Device(State):
    """`roads` are those by which it is connected. `sensors` and `actors` are those that the device announced last. The
    owned ones go with it when it is removed: the announced, the retired and those that a person gave it."""

    name: str
    description: str
    location: str
    status: Status = OK
    status_reason: StatusReason = "announced"
    roads: tuple[str, ...] = ()
    sensors: tuple[UUID, ...] = ()
    actors: tuple[UUID, ...] = ()
    owned_sensors: tuple[UUID, ...] = ()
    owned_actors: tuple[UUID, ...] = ()
    mac_address: str | None = None
    external_id: str | None = None
    # Known here, because a look at its commands with every reading cost a sixth of all that a reading costs.
    answer_awaited: bool = False

    @property
    def connected(self) -> bool:
        return bool(self.roads)


class Announcement(Value):
    """The device's part of a discovery message; absent texts leave what is stored."""

    name: str | None = None
    description: str | None = None
    location: str | None = None
    mac_address: str | None = None
    sensors: tuple[UUID, ...] | None = None
    actors: tuple[UUID, ...] | None = None
    live: bool = True


class Correction(Value):
    """What a person changes about a device; what is absent stays. An empty `external_id` takes it away."""

    name: str | None = None
    description: str | None = None
    location: str | None = None
    status: Status | None = None
    external_id: str | None = None


class DeviceNotFoundError(NotFoundError):
    code = "devices.device_not_found"


class DeviceUnknownError(InvalidError):
    """A part refers to a device that does not exist, or no longer."""

    code = "devices.device_unknown"


class DeviceExistsError(AlreadyExistsError):
    code = "devices.device_exists"


# Decide


def register(
    device: Device | None, name: str, description: str, location: str, status: Status, external_id: str | None
) -> Sequence[Event]:
    if device is not None:
        raise DeviceExistsError("There is a device of this id; change it instead.")
    registered = DeviceRegistered(name=name, description=description, location=location, status=status)
    return (registered, DeviceExternallyIdentified(external_id=external_id)) if external_id else (registered,)


def correct(device: Device, told: Correction) -> Sequence[Event]:
    """A person changes what is known of the device. A status that is set so outlasts readings (contract 3.5)."""
    changes: list[Event] = []
    described = DeviceRedescribed(
        name=device.name if told.name is None else told.name,
        description=device.description if told.description is None else told.description,
        location=device.location if told.location is None else told.location,
        mac_address=device.mac_address,
    )
    if (described.name, described.description, described.location) != (
        device.name,
        device.description,
        device.location,
    ):
        changes.append(described)
    if told.external_id is not None and (told.external_id or None) != device.external_id:
        changes.append(DeviceExternallyIdentified(external_id=told.external_id or None))
    if told.status is not None and told.status != device.status:
        changes.append(DeviceStatusChanged(status=told.status, reason="set"))
    return changes


def fit(device: Device | None, sensors: Sequence[UUID] = (), actors: Sequence[UUID] = ()) -> Sequence[Event]:
    """The device gets parts that a person made or moved to it."""
    if device is None:
        raise DeviceUnknownError("device not found")
    new_sensors = tuple(id for id in sensors if id not in device.owned_sensors)
    new_actors = tuple(id for id in actors if id not in device.owned_actors)
    return (DeviceFitted(sensors=new_sensors, actors=new_actors),) if new_sensors or new_actors else ()


def strip(device: Device | None, sensors: Sequence[UUID] = (), actors: Sequence[UUID] = ()) -> Sequence[Event]:
    """The device loses parts. It may announce them again."""
    if device is None:
        return ()
    lost_sensors = tuple(id for id in sensors if id in device.owned_sensors)
    lost_actors = tuple(id for id in actors if id in device.owned_actors)
    return (DeviceStripped(sensors=lost_sensors, actors=lost_actors),) if lost_sensors or lost_actors else ()


def remove(device: Device | None) -> Sequence[Event]:
    return () if device is None else (DeviceRemoved(),)


def announce(device: Device | None, told: Announcement) -> Sequence[Event]:
    """A device describes itself (contract 3.2). A message kept by the broker (`live` false) tells what the
    device is, but nothing about now, so that its status stays."""
    changes: list[Event] = []
    known = device or Device(name="", description="", location="")
    name, description, location, mac_address = (
        known.name if told.name is None else told.name,
        known.description if told.description is None else told.description,
        known.location if told.location is None else told.location,
        _mac_address(known.mac_address, told.mac_address),
    )
    if device is None:
        changes.append(DeviceDiscovered(name=name, description=description, location=location, mac_address=mac_address))
    elif (name, description, location, mac_address) != (
        device.name,
        device.description,
        device.location,
        device.mac_address,
    ):
        changes.append(
            DeviceRedescribed(name=name, description=description, location=location, mac_address=mac_address)
        )
    sensors = known.sensors if told.sensors is None else told.sensors
    actors = known.actors if told.actors is None else told.actors
    if (sensors, actors) != (known.sensors, known.actors):
        changes.append(DeviceInventoryAnnounced(sensors=sensors, actors=actors))
    if device is not None and told.live and device.status != OK:
        changes.append(DeviceStatusChanged(status=OK, reason="announced"))
    return changes


def _mac_address(known: str | None, told: str | None) -> str | None:
    """Another spelling of the known address is not another address."""
    if not told or (known and bare_mac_address(told) == bare_mac_address(known)):
        return known
    return told


def report_presence(device: Device | None, status: Status, word: str, through: str) -> Sequence[Event]:
    """The device, or the broker in its name (the will), says how it is: the words of contract 3.5. Gone by one road, a
    device that is connected by another is still there."""
    if device is None:
        return ()
    changes: list[Event] = []
    if status == OFFLINE and through in device.roads:
        changes.append(DeviceDisconnected(through=through, reason=word))
    if status != OFFLINE and through not in device.roads:
        changes.append(DeviceConnected(through=through))
    still_there = status == OFFLINE and any(road != through for road in device.roads)
    if device.status != status and not still_there:
        changes.append(DeviceStatusChanged(status=status, reason="presence"))
    return changes


def connect(device: Device | None, through: str) -> Sequence[Event]:
    """It connected itself: it is there, which says nothing of how it fares otherwise."""
    status = OK if device is None or device.status == OFFLINE else device.status
    return report_presence(device, status, "connected", through)


def hear(device: Device | None) -> Sequence[Event]:
    """A sign of life, such as a reading, brings back a device that had fallen silent, and no other."""
    if device is None or device.status != OFFLINE or device.status_reason != "silent":
        return ()
    return (DeviceStatusChanged(status=OK, reason="heard"),)


def fall_silent(device: Device | None) -> Sequence[Event]:
    """Nothing was heard for long from a device that never speaks of its presence. A warning or an error that a
    person set stays until the device itself says better."""
    if device is None or device.status == OFFLINE or device.connected:
        return ()
    if device.status_reason == "set" and device.status in (WARNING, ERROR):
        return ()
    return (DeviceStatusChanged(status=OFFLINE, reason="silent"),)


def await_answer(device: Device | None) -> Sequence[Event]:
    return () if device is None or device.answer_awaited else (DeviceAnswerAwaited(),)


def settle_answer(device: Device | None) -> Sequence[Event]:
    return () if device is None or not device.answer_awaited else (DeviceAnswerSettled(),)


# Evolve


def evolve(device: Device | None, event: Event) -> Device | None:
    match event, device:
        case DeviceDiscovered(), _:
            return Device(
                name=event.name,
                description=event.description,
                location=event.location,
                mac_address=event.mac_address,
            )
        case DeviceRegistered(), _:
            return Device(
                name=event.name,
                description=event.description,
                location=event.location,
                status=event.status,
                status_reason="set",
            )
        case DeviceRedescribed(), Device():
            return replace(
                device,
                name=event.name,
                description=event.description,
                location=event.location,
                mac_address=event.mac_address,
            )
        case DeviceInventoryAnnounced(), Device():
            return replace(
                device,
                sensors=event.sensors,
                actors=event.actors,
                owned_sensors=_with(device.owned_sensors, event.sensors),
                owned_actors=_with(device.owned_actors, event.actors),
            )
        case DeviceFitted(), Device():
            return replace(
                device,
                owned_sensors=_with(device.owned_sensors, event.sensors),
                owned_actors=_with(device.owned_actors, event.actors),
            )
        case DeviceStripped(), Device():
            return replace(
                device,
                sensors=_without(device.sensors, event.sensors),
                actors=_without(device.actors, event.actors),
                owned_sensors=_without(device.owned_sensors, event.sensors),
                owned_actors=_without(device.owned_actors, event.actors),
            )
        case DeviceExternallyIdentified(), Device():
            return replace(device, external_id=event.external_id)
        case DeviceStatusChanged(), Device():
            return replace(device, status=event.status, status_reason=event.reason)
        case DeviceConnected(), Device():
            return replace(device, roads=(*_without_road(device, event.through), event.through))
        case DeviceDisconnected(), Device():
            return replace(device, roads=_without_road(device, event.through))
        case DeviceRemoved(), _:
            return None
        case DeviceAnswerAwaited(), Device():
            return replace(device, answer_awaited=True)
        case DeviceAnswerSettled(), Device():
            return replace(device, answer_awaited=False)
    return device


def _with(known: tuple[UUID, ...], more: tuple[UUID, ...]) -> tuple[UUID, ...]:
    return tuple(dict.fromkeys((*known, *more)))


def _without_road(device: Device, road: str) -> tuple[str, ...]:
    return tuple(known for known in device.roads if known != road)


def _without(known: tuple[UUID, ...], fewer: tuple[UUID, ...]) -> tuple[UUID, ...]:
    return tuple(id for id in known if id not in fewer)


DEVICE = Decider("devices.device", Device, evolve)
