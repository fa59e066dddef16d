"""A fleet of devices to measure with: who they are, and how they got into the log."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from adapters.eventstore.log import PostgresEventLog
from adapters.eventstore.mapper import Mapper
from application import devices, identity
from application.devices.device import AnnounceDevice
from application.executor import CommandExecutor
from application.ports import EventLog
from domain.catalogue import CATALOGUE
from domain.devices.part import PartDescription
from domain.event import Origin
from domain.identifiers import TIDEMARK

HANDLERS = {**devices.HANDLERS, **identity.HANDLERS}


class BenchDevice(NamedTuple):
    id: UUID
    sensors: tuple[UUID, ...]


def fleet(size: int, sensors: int = 5) -> list[BenchDevice]:
    """The same devices every time."""
    ids = [uuid5(TIDEMARK, f"benchmark/{number}") for number in range(size)]
    return [BenchDevice(id, tuple(uuid5(id, f"sensor-{index}") for index in range(sensors))) for id in ids]


def announcement(device: BenchDevice) -> AnnounceDevice:
    return AnnounceDevice(
        device_id=device.id,
        name=f"device {device.id.hex[:6]}",
        description="measures for a benchmark",
        location="hall 3",
        sensors=tuple(
            PartDescription(id=sensor, name=f"sensor {index}", type="temperature", data_type_id=1)
            for index, sensor in enumerate(device.sensors)
        ),
    )


def origin(number: int) -> Origin:
    return Origin(actor="system:benchmark", source="mqtt", correlation_id=f"benchmark-{number:08}")


def mapper() -> Mapper:
    return Mapper(CATALOGUE)


def executor(log: EventLog) -> CommandExecutor:
    return CommandExecutor(log, HANDLERS, lambda: datetime.now(UTC))


async def announce(url: str, members: Sequence[BenchDevice]) -> None:
    """Brings the devices into the log."""
    async with PostgresEventLog(url, mapper()) as log, executor(log).running() as running:
        await asyncio.gather(*(running.execute(announcement(device), origin(0)) for device in members))
