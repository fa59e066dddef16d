"""What other systems call a device. The claim's id is derived from the name, so two devices cannot hold one name."""

from collections.abc import Sequence
from uuid import UUID

from domain.decider import Decider
from domain.errors import AlreadyExistsError
from domain.event import Event
from domain.value import State


class ExternalIdClaimed(Event, topic="devices.external_id.claimed.v1"):
    external_id: str
    device_id: UUID


class ExternalIdReleased(Event, topic="devices.external_id.released.v1"):
    """The device is called otherwise now, or was removed. The name is free again."""

    device_id: UUID


class ExternalId(State):
    """A name that is held. A name that is free has no state."""

    external_id: str
    device_id: UUID


class ExternalIdTakenError(AlreadyExistsError):
    code = "devices.external_id_taken"


# Decide


def claim(held: ExternalId | None, external_id: str, device_id: UUID) -> Sequence[Event]:
    if held is None:
        return (ExternalIdClaimed(external_id=external_id, device_id=device_id),)
    if held.device_id != device_id:
        raise ExternalIdTakenError("Another device has this external id; give one of them another.")
    return ()


def release(held: ExternalId | None, device_id: UUID) -> Sequence[Event]:
    """Nobody gives away what another device holds."""
    return (ExternalIdReleased(device_id=device_id),) if held is not None and held.device_id == device_id else ()


# Evolve


def evolve(held: ExternalId | None, event: Event) -> ExternalId | None:
    match event:
        case ExternalIdClaimed():
            return ExternalId(external_id=event.external_id, device_id=event.device_id)
        case ExternalIdReleased():
            return None
    return held


EXTERNAL_ID = Decider("devices.external_id", ExternalId, evolve)
