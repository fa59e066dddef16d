"""Reports are taken down of devices that exist, one event for each device of a request."""

from uuid import UUID

import pytest

from application.devices.device import CorrectDevice, RegisterDevice, RemoveDevice
from application.executor import CommandExecutor
from application.metrics.reports import ReportFleetMetrics, ReportMetrics, ReportNamedDevice, reported_devices
from domain.devices.device import Correction
from domain.identifiers import VALUES_PER_EVENT, reports_id
from domain.metrics.report import Report
from domain.metrics.reports import DeviceUnknownError, MetricsReported
from tests.application.logs import LogUnderTest, assert_sound, running
from tests.facts import ORIGIN, announcing, device_named

BOILER, PUMP, GHOST = device_named("boiler"), device_named("pump"), device_named("ghost")


def reports(*values: int, name: str = "level") -> tuple[Report, ...]:
    return tuple(Report(name=name, value=value, units="", type="int32", slope="both", ttl=60) for value in values)


def registering(device: UUID, external_id: str) -> RegisterDevice:
    return RegisterDevice(device_id=device, name="n", description="d", location="l", status=1, external_id=external_id)


async def test_reports_of_a_device_are_one_event_on_its_stream_of_the_day(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        receipt = await executor.execute(ReportMetrics(device_id=BOILER, reports=reports(1, 2)), ORIGIN)
    assert list(receipt.events) == [MetricsReported(device_id=BOILER, reports=reports(1, 2))]
    last = (await log.everything())[-1]
    assert (last.position, last.aggregate_id) == (receipt.position, reports_id(BOILER, last.envelope.at.date()))


async def test_a_device_is_known_by_its_id_and_by_what_others_call_it(log: LogUnderTest) -> None:
    async def report(executor: CommandExecutor, device: str) -> list[UUID]:
        receipt = await executor.execute(ReportNamedDevice(device=device, reports=reports(1)), ORIGIN)
        return [event.device_id for event in receipt.events if isinstance(event, MetricsReported)]

    async with running(log.connect(), log.connect()) as (executor, other):
        for device, called in ((BOILER, "1"), (PUMP, "2")):
            await executor.execute(registering(device, called), ORIGIN)
        assert await report(executor, "1") == await report(executor, str(BOILER)) == [BOILER]
        # Another process gives the name to another device: the next report is that one's.
        await other.execute(CorrectDevice(device_id=BOILER, told=Correction(external_id="")), ORIGIN)
        with pytest.raises(DeviceUnknownError):
            await report(executor, "1")
        await other.execute(CorrectDevice(device_id=PUMP, told=Correction(external_id="1")), ORIGIN)
        assert await report(executor, "1") == [PUMP]
        with pytest.raises(DeviceUnknownError):
            await report(executor, "2")
    assert_sound(await log.everything())


@pytest.mark.parametrize("removed", [False, True])
async def test_a_device_that_does_not_exist_or_no_longer_is_refused(log: LogUnderTest, removed: bool) -> None:
    async with running(log.connect()) as (executor,):
        if removed:
            await executor.execute(announcing(GHOST), ORIGIN)
            await executor.execute(RemoveDevice(device_id=GHOST), ORIGIN)
        with pytest.raises(DeviceUnknownError):
            await executor.execute(ReportMetrics(device_id=GHOST, reports=reports(1)), ORIGIN)


async def test_a_fleets_reports_are_one_event_a_device_and_unknown_devices_are_left_out(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        await executor.execute(announcing(PUMP), ORIGIN)
        everybody: dict[UUID, tuple[Report, ...]] = {
            BOILER: reports(1, 2, 3),
            GHOST: reports(4),
            PUMP: reports(*range(VALUES_PER_EVENT + 1)),
        }
        receipt = await executor.execute(ReportFleetMetrics(reports=everybody), ORIGIN)
        nobody = await executor.execute(ReportFleetMetrics(reports={GHOST: reports(4)}), ORIGIN)
    assert reported_devices(receipt) == {BOILER, PUMP}
    sizes = [len(event.reports) for event in receipt.events if isinstance(event, MetricsReported)]
    assert sizes == [3, VALUES_PER_EVENT, 1]
    assert reported_devices(nobody) == frozenset()
    assert_sound(await log.everything())


async def test_what_two_processes_report_of_one_device_is_all_recorded(log: LogUnderTest) -> None:
    async with running(log.connect(), log.connect()) as (one, other):
        await one.execute(announcing(BOILER), ORIGIN)
        for value, executor in enumerate((one, other, other, one)):
            await executor.execute(ReportMetrics(device_id=BOILER, reports=reports(value)), ORIGIN)
    recorded = [one.event for one in await log.everything() if isinstance(one.event, MetricsReported)]
    assert [event.reports for event in recorded] == [reports(value) for value in range(4)]
