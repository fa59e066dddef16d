"""Reports of metrics, of one device or of a whole fleet in one request. Whether they are reports is known by now
(`domain.metrics.report.check`); here it is asked whether there is such a device. All that is known of devices is the
registry and what others call them, which is handed in: an aggregate that has no state does not exist, or no longer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from application.command import Aggregates, Change, Command, Handler, Receipt, change
from application.parsing import parse_uuid
from domain.decider import Decider
from domain.identifiers import reports_id
from domain.metrics import reports
from domain.metrics.report import Report
from domain.metrics.reports import REPORTS, DeviceUnknownError, MetricsReported


class ReportMetrics(Command):
    """What was reported of one device: it must exist, or the whole is refused."""

    device_id: UUID
    reports: tuple[Report, ...]


class ReportNamedDevice(Command):
    """The same of the device that has this id, or that others call so. Who that is is decided with the report, so that
    none goes to a device that was called so a moment ago."""

    device: str
    reports: tuple[Report, ...]


class ReportFleetMetrics(Command):
    """What was reported of many devices, by device, each in the order in which it came. What concerns devices that do
    not exist is left out, the rest is kept."""

    reports: dict[UUID, tuple[Report, ...]]


def by_id_alone(_: Aggregates, device: str) -> UUID | None:
    return parse_uuid(device)


def handlers(
    registry: Decider[Any], named: Callable[[Aggregates, str], UUID | None] = by_id_alone
) -> Mapping[type[Command], Handler]:
    """What handles the commands, for the devices of the registry. `named` finds the device that is called so."""

    def report_metrics(command: ReportMetrics, aggregates: Aggregates) -> Sequence[Change]:
        return _of_one(aggregates, command.device_id, command.reports)

    def report_named_device(command: ReportNamedDevice, aggregates: Aggregates) -> Sequence[Change]:
        return _of_one(aggregates, named(aggregates, command.device), command.reports)

    def _of_one(aggregates: Aggregates, device_id: UUID | None, reported: Sequence[Report]) -> Sequence[Change]:
        if device_id is None or aggregates.find(registry, device_id) is None:
            raise DeviceUnknownError("There is no such device; register it first.")
        return (_recorded(aggregates, device_id, reported),)

    def report_fleet_metrics(command: ReportFleetMetrics, aggregates: Aggregates) -> Sequence[Change]:
        known = aggregates.find_many(registry, command.reports)
        return [
            _recorded(aggregates, device_id, of_device)
            for device_id, of_device in command.reports.items()
            if known[device_id] is not None
        ]

    return {
        ReportMetrics: report_metrics,
        ReportNamedDevice: report_named_device,
        ReportFleetMetrics: report_fleet_metrics,
    }


def reported_devices(receipt: Receipt) -> frozenset[UUID]:
    """The devices of which something was recorded; all else that the command named does not exist."""
    return frozenset(event.device_id for event in receipt.events if isinstance(event, MetricsReported))


def _recorded(aggregates: Aggregates, device_id: UUID, reported: Sequence[Report]) -> Change:
    stream = reports_id(device_id, aggregates.now.date())
    return change(REPORTS, stream, reports.record(device_id, reported))
