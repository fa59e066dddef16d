"""The arithmetic of history, against the naive model, and by the contract's own examples (metrics 1.7.2)."""

from collections.abc import Sequence
from itertools import pairwise
from math import isclose
from sys import float_info

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.metrics.series import (
    FIVE_MINUTES,
    HOUR,
    STEP,
    WRITTEN_OUT,
    Completed,
    P,
    Series,
    Summary,
    begin,
    fed,
    report,
    rounded,
)
from tests.domain.metrics import naive
from tests.domain.metrics.naive import Known, Told

NOON = 1_768_392_000


def history(reports: Sequence[Told], now: int) -> tuple[Series, Completed]:
    """Everything that became complete by `now`, each kind in one list from the first report on."""
    series = begin(reports[0].at)
    whole = Completed([], [], [])
    steps = [lambda s, told=told: report(s, *told) for told in reports] + [lambda s: fed(s, now)]
    for step in steps:
        before = series.written
        series, completed = step(series)
        _follow(whole.points, completed.points, series.written // STEP - before // STEP)
        _follow(whole.fives, completed.fives, series.written // FIVE_MINUTES - before // FIVE_MINUTES)
        _follow(whole.hours, completed.hours, series.written // HOUR - before // HOUR)
    return series, whole


def _follow(so_far: list[P], more: list[P], passed: int) -> None:
    if len(more) < passed:  # a long stretch, of which only the end was written out
        so_far.clear()
    so_far.extend(more)


values = st.none() | st.integers(-1000, 1000) | st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
gaps = st.integers(0, 20) | st.integers(0, 200) | st.integers(0, 5000)
ttls = st.integers(1, 60) | st.integers(1, 4000)


@st.composite
def told(draw: st.DrawFn) -> tuple[list[Told], int]:
    at = NOON + draw(st.integers(0, 3600))
    reports = [Told(at, draw(values.filter(lambda value: value is not None)), draw(ttls))]
    for gap in draw(st.lists(gaps, max_size=12)):
        at += gap
        reports.append(Told(at, draw(values), draw(ttls)))
    return reports, at + draw(gaps)


def same(known: Known, got: float, scale: float) -> bool:
    if known is None:
        return got != got
    return isclose(rounded(float(known)), rounded(got), rel_tol=1.01e-10, abs_tol=1e-14 * scale)


@given(told())
def test_the_points_are_those_of_the_naive_model(case: tuple[list[Told], int]) -> None:
    reports, now = case
    series, completed = history(reports, now)
    written = naive.writes(reports, now)
    assert series.written == written[-1][0]
    scale = max((abs(float(value)) for _, value in written), default=0)
    archives: list[tuple[int, Sequence[float | Summary]]] = [
        (STEP, completed.points),
        (FIVE_MINUTES, completed.fives),
        (HOUR, completed.hours),
    ]
    for step, ours in archives:
        last = series.written // step * step
        first = last - (len(ours) - 1) * step
        if first > (written[0][0] - STEP) // step * step + step:
            assert last - first + step >= WRITTEN_OUT[(STEP, FIVE_MINUTES, HOUR).index(step)]
        expected = naive.points(reports, now, step, first, last + 2 * step)
        assert [point.average for point in expected[len(ours) :]] == [None, None]
        for point, got in zip(expected, ours, strict=False):
            if isinstance(got, Summary):
                assert same(point.average, got.average, scale)
                assert same(point.low, got.low, scale)
                assert same(point.high, got.high, scale)
                assert point.known == got.known
            else:
                assert same(point.average, got, scale)


@given(told(), st.integers(0, 4000))
def test_asking_in_between_makes_no_difference(case: tuple[list[Told], int], wait: int) -> None:
    reports, now = case
    series, _ = history(reports, now)
    once, at_once = fed(series, now + wait)
    between, before = fed(series, now + wait // 2)
    twice, after = fed(between, now + wait)
    assert once.written == twice.written
    assert once.hour_count == twice.hour_count
    assert len(at_once.points) == len(before.points) + len(after.points)
    assert [rounded(point) for point in at_once.points] == pytest.approx(
        [rounded(point) for point in (*before.points, *after.points)], rel=1e-9, nan_ok=True
    )


def test_a_report_a_second_after_the_grid_fills_the_15_seconds_before_it() -> None:
    series, completed = history([Told(NOON + 15, 4.0, 1), Told(NOON + 30, 5.0, 1)], NOON + 30)
    assert completed.points == [4.0, 5.0]
    assert series.written == NOON + 30


@pytest.mark.parametrize(("gap", "filled"), [(62, True), (120, True), (121, False), (172, False)])
def test_silence_is_filled_with_the_next_value_up_to_two_minutes(gap: int, filled: bool) -> None:
    _, completed = history([Told(NOON, 1.0, 5), Told(NOON + gap, 9.0, 5)], NOON + gap)
    assert (completed.points[2] == 9.0) is filled
    assert (completed.points[2] != completed.points[2]) is not filled


def test_a_value_is_fed_on_until_it_expires_and_no_longer() -> None:
    series, _ = history([Told(NOON, 13.0, 60)], NOON + 1000)
    assert series.written == NOON + 60
    series, _ = history([Told(NOON, 13.0, 59)], NOON + 1000)
    assert series.written == NOON + 45


def test_a_text_ends_the_feeding_and_is_no_write() -> None:
    series, _ = history([Told(NOON, 13.0, 3600), Told(NOON + 100, None, 3600)], NOON + 1000)
    assert series.written == NOON + 90
    assert series.value is None


def test_a_second_report_in_one_second_changes_only_what_is_fed_on() -> None:
    _, completed = history([Told(NOON, 1.0, 60), Told(NOON, 7.0, 60)], NOON + 30)
    assert completed.points == [1.0, 7.0, 7.0]


def test_a_clock_that_goes_back_writes_nothing_into_the_past() -> None:
    series, _ = history([Told(NOON, 1.0, 60), Told(NOON - 30, 7.0, 60)], NOON + 15)
    assert (series.written, series.value, series.until) == (NOON + 15, 7.0, NOON + 60)


def test_a_flat_line_is_the_value_itself_in_every_archive() -> None:
    _, completed = history([Told(NOON, 0.1, 10**30)], NOON + 3 * HOUR)
    assert set(completed.points) == {0.1}
    assert completed.fives[-1] == Summary(0.1, 0.1, 0.1, 20)
    assert completed.hours[-1] == Summary(0.1, 0.1, 0.1, 240)


def test_years_of_a_flat_line_are_written_out_only_as_far_as_they_are_kept() -> None:
    years = 30 * 365 * 86_400
    _, completed = fed(Series(NOON + 7, 5.0, NOON + years), NOON + years)
    assert WRITTEN_OUT[0] <= len(completed.points) * STEP <= WRITTEN_OUT[0] + HOUR
    assert WRITTEN_OUT[1] <= len(completed.fives) * FIVE_MINUTES <= WRITTEN_OUT[1] + HOUR
    assert len(completed.hours) * HOUR == WRITTEN_OUT[2]


@pytest.mark.parametrize("value", [float_info.max, -float_info.max, 5e-324])
def test_the_largest_and_smallest_numbers_stay_numbers(value: float) -> None:
    reports = [Told(NOON + 7 * n, value, 7) for n in range(600)]
    _, completed = history(reports, NOON + 4200)
    assert all(abs(rounded(point)) <= float_info.max for point in completed.points)
    assert isclose(completed.hours[-1].average, value, rel_tol=1e-9, abs_tol=1e-300)


def test_eleven_digits_are_kept() -> None:
    assert rounded(1 / 3) == 0.33333333333
    assert rounded(123456789012.345) == 123456789010.0
    assert rounded(float_info.max) == float_info.max


def test_the_half_unknown_rule_of_five_minutes() -> None:
    # Ten of twenty are known, and then nine.
    for known, expected in ((10, 3.0), (9, None)):
        reports = [Told(NOON + 15 * n, 3.0, 1) for n in range(1, known + 1)] + [Told(NOON + FIVE_MINUTES + 180, 3.0, 1)]
        _, completed = history(reports, NOON + 600)
        assert completed.fives[0].known == known
        assert (completed.fives[0].average == 3.0) is (expected is not None)


def test_times_of_completed_points_leave_no_gap() -> None:
    series = begin(NOON)
    ends = []
    for n in range(40):
        before = series.written
        series, completed = report(series, NOON + 33 * n, 1.0, 5)
        assert len(completed.points) == series.written // STEP - before // STEP
        ends.append(series.written)
    assert all(later > earlier for earlier, later in pairwise(ends))
