"""What is read of remote write whose series are too long to be remembered, or in no order."""

from uuid import uuid4

import cramjam
import pytest

from entrypoints.metric_reporting.bodies import remote_write
from entrypoints.metric_reporting.bodies.remote_write_pb2 import Label, TimeSeries, WriteRequest

NOW = 1_800_000_000.0


def request(*labels: tuple[str, str]) -> bytes:
    series = TimeSeries(labels=[Label(name=name, value=value).SerializeToString() for name, value in labels])
    series.samples.add(value=1.5, timestamp=int(NOW * 1000))
    return bytes(cramjam.snappy.compress_raw(WriteRequest(timeseries=[series]).SerializeToString()))


@pytest.mark.parametrize("text", ["short", "x" * 10_000])
def test_a_series_is_the_same_however_long_its_labels_are_and_however_often_it_comes(text: str) -> None:
    device = uuid4()
    for _ in range(2):
        series = remote_write.read_series(request(("text", text), ("device", "1"), ("__name__", "up")))
        written = remote_write.reports_of(series, {"1": device}, NOW)
        ((name, value),) = [(report.name, report.value) for report in written.of[device]]
        assert (name, value) == (f'up{{text="{text}"}}', 1.5)


def test_what_is_long_is_not_remembered() -> None:
    before = remote_write._known.cache_info().currsize, remote_write._label.cache_info().currsize
    remote_write.read_series(request(("__name__", "up"), ("device", uuid4().hex * 100)))
    after = remote_write._known.cache_info().currsize, remote_write._label.cache_info().currsize
    assert after[0] == before[0]
    assert after[1] <= before[1] + 1  # the name
