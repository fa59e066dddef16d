from uuid import UUID

import pytest

from domain.identifiers import VALUES_PER_EVENT
from domain.metrics.report import Report
from domain.metrics.reports import REPORTS, MetricsReported, record
from tests.domain.specification import given

DEVICE = UUID("3814fb88-565c-5dc8-9b91-60d4002b6edc")


def reports(count: int) -> tuple[Report, ...]:
    return tuple(Report(name="m", value=n, units="", type="int32", slope="both", ttl=60) for n in range(count))


def test_values_that_arrived_together_are_one_event() -> None:
    assert record(DEVICE, reports(2)) == [MetricsReported(device_id=DEVICE, reports=reports(2))]


def test_nothing_reported_records_nothing() -> None:
    assert record(DEVICE, ()) == []


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1]), (VALUES_PER_EVENT, [VALUES_PER_EVENT]), (VALUES_PER_EVENT + 1, [VALUES_PER_EVENT, 1])],
)
def test_more_than_an_events_worth_is_cut_in_order(count: int, sizes: list[int]) -> None:
    events = [event for event in record(DEVICE, reports(count)) if isinstance(event, MetricsReported)]
    assert [len(event.reports) for event in events] == sizes
    assert tuple(report for event in events for report in event.reports) == reports(count)


def test_a_day_of_reports_takes_the_next_without_looking_back() -> None:
    assert REPORTS.tail == 0
    assert given(REPORTS, MetricsReported(device_id=DEVICE, reports=reports(3))).state is None
