"""Windows and grids (contract metrics 1.7.3; cases M90 to M97)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.metrics.grid import (
    ARCHIVES,
    MOST_POINTS,
    DurationUnknownError,
    Grid,
    RangeReversedError,
    between,
    last,
)

NOW = 1_768_392_007


@pytest.mark.parametrize(("duration", "count", "step"), [("hour", 241, 15), ("day", 289, 300), ("quarter", 2161, 3600)])
@pytest.mark.parametrize("now", [NOW, NOW - 7, NOW + 3593])
def test_the_named_stretches_have_their_points(duration: str, count: int, step: int, now: int) -> None:
    grid = last(duration, now)
    assert (grid.length, grid.step) == (count, step)
    assert now < grid.times[-1] <= now + step


def test_another_duration_is_refused_in_the_contracts_words() -> None:
    with pytest.raises(DurationUnknownError) as caught:
        last("week", NOW)
    assert caught.value.message == "week is not a valid LastDuration, try [hour, day, quarter]"


@pytest.mark.parametrize(
    ("start", "end", "step"),
    [
        (-3600, 0, 15),
        (-3601, 0, 300),
        (-86_400, 0, 300),
        (-86_401, 0, 3600),
        (-7800, -7200, 300),
        (-2 * 86_400, -2 * 86_400 + 600, 3600),
        (-100 * 86_400, -100 * 86_400 + 600, 3600),
        (-10, 3000, 15),
    ],
)
def test_the_finest_archive_that_reaches_back(start: int, end: int, step: int) -> None:
    assert between(NOW + start, NOW + end, NOW).step == step


def test_a_moment_is_one_point() -> None:
    assert list(between(NOW, NOW, NOW).times) == [NOW - NOW % 15 + 15]


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(RangeReversedError):
        between(NOW, NOW - 1, NOW)


def test_too_many_points_are_cut_in_the_future_and_then_in_the_past() -> None:
    grid = between(NOW - 7200, 4_294_967_295, NOW)
    assert NOW < grid.times[-1] <= NOW + 3600
    grid = between(0, 2**62, NOW)
    assert grid.length == MOST_POINTS
    assert NOW < grid.times[-1] <= NOW + 3600
    assert between(2**60, 2**62, NOW).length == 1


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**63), st.integers(0, 200_000))
def test_a_grid_is_never_empty_and_never_endless(start: int, length: int, short: int) -> None:
    for end in (start + length, start + short):
        grid: Grid = between(start, end, NOW)
        assert 1 <= grid.length <= MOST_POINTS
        assert grid.first % grid.step == 0
        assert grid.step in {archive.step for archive in ARCHIVES}
