"""Commands and ids that tests of many layers speak of: one house, three devices, told in the operator's words."""

from datetime import UTC, datetime
from uuid import NAMESPACE_DNS, UUID, uuid5

from application.devices.device import AnnounceDevice
from application.devices.readings import RecordReading, RecordReadings
from domain.devices.part import PartDescription
from domain.devices.readings import Reading
from domain.event import Origin

ORIGIN = Origin(actor="user:ada", source="http", correlation_id="c-1", causation_id="m-1")
NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)


def device_named(name: str) -> UUID:
    return uuid5(NAMESPACE_DNS, f"device-{name}")


def sensor_of(device: UUID, number: int = 0) -> UUID:
    return uuid5(device, f"sensor-{number}")


def actor_of(device: UUID, number: int = 0) -> UUID:
    return uuid5(device, f"actor-{number}")


def described(id: UUID, name: str = "flow", data_type_id: int = 1) -> PartDescription:
    return PartDescription(id=id, name=name, type="temperature", data_type_id=data_type_id)


def announcing(
    device: UUID, sensors: int | None = 1, actors: int | None = None, name: str = "boiler"
) -> AnnounceDevice:
    """The device with its first so many sensors and actors; None leaves the list out."""
    return AnnounceDevice(
        device_id=device,
        name=name,
        description="heats",
        location="cellar",
        sensors=None if sensors is None else tuple(described(sensor_of(device, n)) for n in range(sensors)),
        actors=None if actors is None else tuple(described(actor_of(device, n)) for n in range(actors)),
    )


def reading(sensor: UUID, value: float = 22.5) -> RecordReading:
    return RecordReading(reading=Reading(sensor_id=sensor, value=value))


def readings(*measured: tuple[UUID, float], device: UUID | None = None) -> RecordReadings:
    return RecordReadings(
        readings=tuple(Reading(sensor_id=sensor, value=value) for sensor, value in measured), device_id=device
    )
