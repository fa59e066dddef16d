"""Histories as JSON, against the plain way to write it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from domain.metrics.grid import Grid
from entrypoints.metric_reporting.points import Points

VALUES = st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 240), min_size=1)


@given(values=VALUES, first=st.integers(-(2**40), 2**40))
def test_points_are_written_as_objects(values: list[float | None], first: int) -> None:
    grid = Grid(0, first, len(values))
    expected = [{"timestamp": at, "value": value} for at, value in zip(grid.times, values, strict=True)]
    points = Points(grid)
    assert json.loads(points.written(values)) == expected
    assert json.loads(points.written([None] * len(values)))[0]["value"] is None


def test_whole_numbers_have_no_fraction() -> None:
    written = Points(Grid(0, 15, 5)).written([1.0, 10.05, None, -0.0, 2.0])
    assert written == (
        b'[{"timestamp":15,"value":1},{"timestamp":30,"value":10.05},{"timestamp":45,"value":null},'
        b'{"timestamp":60,"value":-0},{"timestamp":75,"value":2}]'
    )
