"""Reports of many devices in one request: who they are, and one command for all of them.

What is large is read in a thread, so that everybody else goes on being answered meanwhile.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, ParamSpec, TypeVar
from uuid import UUID

from application.metrics.reports import ReportFleetMetrics, reported_devices
from domain.metrics.report import Report
from entrypoints.metric_reporting.door import Door, origin_of
from entrypoints.metric_reporting.exchange import MetricExchange

P = ParamSpec("P")
T = TypeVar("T")

LARGEST_BODY = 16 * 1024 * 1024
BODY_SECONDS = 30.0

# Bytes. Reading fewer takes less than a millisecond.
LARGE = 32 * 1024


class Recorded(NamedTuple):
    """The devices of which something is on disk, and the position that it reaches; 0 for nothing."""

    devices: frozenset[UUID]
    position: int


async def aside(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What comes of the work on so many bytes."""
    if size < LARGE:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


async def find_devices(door: Door, called: Sequence[Sequence[str]]) -> Mapping[str, UUID]:
    """The devices that there are, by what they are called. Each of `called` is what one device may be called. Waits for
    those that were registered just now only when there is nobody of one of these names."""
    names = {name for one in called for name in one}
    found = await door.directory.identify_all(names)
    if not all(any(name in found for name in one) for one in called if one):
        await door.positions.fresh("directory")
        found |= await door.directory.identify_all(names - found.keys())
    return found


async def record(door: Door, exchange: MetricExchange, reports: Mapping[UUID, Sequence[Report]]) -> Recorded:
    """Returns once it is on disk. Whether a device is still there is decided with the log, whatever the read model
    says."""
    if not reports:
        return Recorded(frozenset(), 0)
    command = ReportFleetMetrics(reports={device: tuple(of_device) for device, of_device in reports.items()})
    receipt = await door.executor.execute(command, origin_of(exchange))
    return Recorded(reported_devices(receipt), receipt.position)


def grouped(sent: Iterable[tuple[UUID, Report]]) -> Mapping[UUID, Sequence[Report]]:
    """By device, each in the order in which they came."""
    reports: dict[UUID, list[Report]] = {}
    for device, report in sent:
        of_device = reports.get(device)
        if of_device is None:
            of_device = reports[device] = []
        of_device.append(report)
    return reports
