"""What persons enter: one decision over a device, its parts and its external id, whichever process takes it."""

import asyncio
from uuid import UUID

import pytest

from application.command import Command
from application.devices.device import CorrectDevice, RegisterDevice, RemoveDevice, ReportPresence, ReportSilence
from application.devices.part import AddPart, CorrectPart, PartKind, RemovePart
from application.executor import CommandExecutor
from domain.devices.actor import ActorRemoved
from domain.devices.device import (
    DEVICE,
    Correction,
    DeviceDiscovered,
    DeviceFitted,
    DeviceInventoryAnnounced,
    DeviceNotFoundError,
    DeviceRegistered,
    DeviceRemoved,
    DeviceStripped,
    DeviceUnknownError,
)
from domain.devices.external_id import EXTERNAL_ID, ExternalIdClaimed, ExternalIdReleased, ExternalIdTakenError
from domain.devices.part import PartCorrection, PartNotFoundError, PartOfAnotherDeviceError
from domain.devices.readings import SensorUnknownError
from domain.devices.sensor import SENSOR, SensorAdded, SensorMoved, SensorRemoved
from domain.event import Event
from domain.identifiers import external_device_id
from tests.application.logs import LogUnderTest, assert_sound, running
from tests.facts import ORIGIN, actor_of, announcing, described, device_named, reading, readings, sensor_of

BOILER = device_named("boiler")
PUMP = device_named("pump")
FLOW, RETURN = sensor_of(BOILER), sensor_of(BOILER, 1)


def registering(device: UUID, external_id: str | None = None) -> RegisterDevice:
    return RegisterDevice(
        device_id=device, name="boiler", description="heats", location="cellar", status=1, external_id=external_id
    )


def adding(id: UUID, device: UUID = BOILER, kind: PartKind = "sensor") -> AddPart:
    return AddPart(kind=kind, device_id=device, described=described(id))


async def events_of(executor: CommandExecutor, command: Command) -> list[Event]:
    return list((await executor.execute(command, ORIGIN)).events)


async def refused(executor: CommandExecutor, command: Command, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        await executor.execute(command, ORIGIN)


async def test_a_device_and_its_external_id_are_one_decision(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        registered = await events_of(executor, registering(BOILER, "b-7"))
        await refused(executor, registering(PUMP, "b-7"), ExternalIdTakenError)
        assert await executor.find(DEVICE, PUMP) is None
        removed = await events_of(executor, RemoveDevice(device_id=BOILER))
        again = await events_of(executor, registering(PUMP, "b-7"))
    assert ExternalIdClaimed(external_id="b-7", device_id=BOILER) in registered
    assert removed == [DeviceRemoved(), ExternalIdReleased(device_id=BOILER)]
    assert ExternalIdClaimed(external_id="b-7", device_id=PUMP) in again


async def test_other_contexts_find_the_device_by_its_external_id_in_the_log(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(registering(BOILER, "b-7"), ORIGIN)
        held = await executor.find(EXTERNAL_ID, external_device_id("b-7"))
        assert held is not None
        assert held.device_id == BOILER
        await executor.execute(CorrectDevice(device_id=BOILER, told=Correction(external_id="b-8")), ORIGIN)
        assert await executor.find(EXTERNAL_ID, external_device_id("b-7")) is None
        assert await executor.find(EXTERNAL_ID, external_device_id("b-8")) is not None


async def test_of_two_processes_that_claim_one_external_id_one_is_refused(log: LogUnderTest) -> None:
    devices = [device_named(f"d{number}") for number in range(20)]
    async with running(log.connect(), log.connect()) as executors:
        told = await asyncio.gather(
            *(
                executors[index % 2].execute(registering(device, f"b-{index // 2}"), ORIGIN)
                for index, device in enumerate(devices)
            ),
            return_exceptions=True,
        )
    everything = await log.everything()
    assert_sound(everything)
    for first, second in zip(told[::2], told[1::2], strict=True):
        assert sum(isinstance(answer, ExternalIdTakenError) for answer in (first, second)) == 1
    assert sum(isinstance(one.event, ExternalIdClaimed) for one in everything) == 10
    assert sum(isinstance(one.event, DeviceRegistered) for one in everything) == 10


async def test_a_device_is_removed_with_all_its_parts_in_one_decision(log: LogUnderTest) -> None:
    """The announced, the retired and those that a person made."""
    ours = sensor_of(BOILER, 9)
    async with running(log.connect()) as (executor,):
        await executor.execute(announcing(BOILER, sensors=2, actors=1), ORIGIN)
        await executor.execute(announcing(BOILER, sensors=1, actors=1), ORIGIN)
        await executor.execute(adding(ours), ORIGIN)
        removed = await events_of(executor, RemoveDevice(device_id=BOILER))
        await refused(executor, RemoveDevice(device_id=BOILER), DeviceNotFoundError)
        assert [await executor.find(SENSOR, id) for id in (FLOW, RETURN, ours)] == [None, None, None]
    assert removed == [DeviceRemoved(), *[SensorRemoved()] * 3, ActorRemoved()]


async def test_nothing_more_is_recorded_of_a_removed_device(log: LogUnderTest) -> None:
    async with running(log.connect(), log.connect()) as (api, gateway):
        await gateway.execute(announcing(BOILER), ORIGIN)
        await api.execute(RemoveDevice(device_id=BOILER), ORIGIN)
        for command in (
            ReportPresence(device_id=BOILER, status=1, word="online", through="mqtt"),
            ReportSilence(device_id=BOILER),
            readings((FLOW, 1.0), device=BOILER),
        ):
            assert await events_of(gateway, command) == []
        await refused(gateway, reading(FLOW), SensorUnknownError)
        await refused(gateway, adding(RETURN), DeviceUnknownError)
        await refused(gateway, CorrectDevice(device_id=BOILER, told=Correction(name="x")), DeviceNotFoundError)


async def test_a_removed_device_that_announces_itself_begins_anew(log: LogUnderTest) -> None:
    async with running(log.connect(), log.connect()) as (api, gateway):
        await gateway.execute(announcing(BOILER, actors=1), ORIGIN)
        await api.execute(RemoveDevice(device_id=BOILER), ORIGIN)
        again = await events_of(gateway, announcing(BOILER, actors=1))
        assert [type(event) for event in again][:3] == [DeviceDiscovered, DeviceInventoryAnnounced, SensorAdded]
        assert len(await events_of(gateway, reading(FLOW))) == 1


async def test_a_removed_sensor_is_out_of_service_until_it_is_announced_again(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(announcing(BOILER, sensors=2), ORIGIN)
        removed = await events_of(executor, RemovePart(kind="sensor", part_id=RETURN))
        await refused(executor, RemovePart(kind="sensor", part_id=RETURN), PartNotFoundError)
        await refused(executor, reading(RETURN), SensorUnknownError)
        again = await events_of(executor, announcing(BOILER, sensors=2))
    assert removed == [SensorRemoved(), DeviceStripped(sensors=(RETURN,), actors=())]
    assert [type(event) for event in again] == [DeviceInventoryAnnounced, SensorAdded]


async def test_a_retired_part_is_not_there_to_be_changed(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(announcing(BOILER, actors=1), ORIGIN)
        await executor.execute(announcing(BOILER, actors=0), ORIGIN)
        gone = actor_of(BOILER)
        await refused(executor, RemovePart(kind="actor", part_id=gone), PartNotFoundError)
        told = PartCorrection(name="x")
        await refused(executor, CorrectPart(kind="actor", part_id=gone, told=told), PartNotFoundError)


async def test_a_moved_sensor_reports_for_its_new_device(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        await executor.execute(registering(PUMP), ORIGIN)
        moved = await events_of(executor, CorrectPart(kind="sensor", part_id=FLOW, told=PartCorrection(device_id=PUMP)))
        assert await events_of(executor, readings((FLOW, 1.0), device=BOILER)) == []
        assert len(await events_of(executor, readings((FLOW, 1.0), device=PUMP))) == 1
        await refused(executor, announcing(BOILER), PartOfAnotherDeviceError)
        assert await events_of(executor, RemoveDevice(device_id=BOILER)) == [DeviceRemoved()]
        assert SensorRemoved() in await events_of(executor, RemoveDevice(device_id=PUMP))
    assert moved == [
        SensorMoved(device_id=PUMP),
        DeviceStripped(sensors=(FLOW,), actors=()),
        DeviceFitted(sensors=(FLOW,), actors=()),
    ]


async def test_a_device_removed_by_one_process_gets_no_part_from_another(log: LogUnderTest) -> None:
    """However the two meet, no part is left without its device."""
    async with running(log.connect(), log.connect()) as (one, other):
        await one.execute(registering(BOILER), ORIGIN)
        parts = [sensor_of(BOILER, number) for number in range(20)]
        asked = [asyncio.ensure_future(other.execute(adding(id), ORIGIN)) for id in parts[:10]]
        asked += [asyncio.ensure_future(one.execute(RemoveDevice(device_id=BOILER), ORIGIN))]
        asked += [asyncio.ensure_future(other.execute(adding(id), ORIGIN)) for id in parts[10:]]
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(answer) for answer in told if isinstance(answer, BaseException)} <= {DeviceUnknownError}
        assert [await one.find(SENSOR, id) for id in parts] == [None] * 20
