"""What was reported of a device. One stream per device and day, one event per message, never replayed to go on."""

from collections.abc import Sequence
from uuid import UUID

from domain.decider import Decider
from domain.errors import NotFoundError
from domain.event import Event
from domain.identifiers import VALUES_PER_EVENT
from domain.metrics.report import Report
from domain.value import State


class MetricsReported(Event, topic="metrics.reports.recorded.v1"):
    """Values of metrics of one device that arrived together; of two of one metric the later one stands."""

    device_id: UUID
    reports: tuple[Report, ...]


class Reports(State):
    """Nothing: a day of reports takes the next ones without looking back."""


class DeviceUnknownError(NotFoundError):
    """There is no such device, or no longer: nothing is reported of it."""

    code = "metrics.device_unknown"


# Decide


def record(device_id: UUID, reports: Sequence[Report]) -> Sequence[Event]:
    """One event for all that arrived together; more than an event's worth is cut."""
    if len(reports) == 1:
        return (MetricsReported(device_id=device_id, reports=tuple(reports)),)
    return [
        MetricsReported(device_id=device_id, reports=tuple(reports[start : start + VALUES_PER_EVENT]))
        for start in range(0, len(reports), VALUES_PER_EVENT)
    ]


# Evolve


def evolve(state: Reports | None, event: Event) -> Reports | None:
    return state


REPORTS = Decider("metrics.reports", Reports, evolve, tail=0)
