"""Cases 2A, history. Pasts are recorded by a process whose clock is slow, so that nobody has to wait for them."""

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from tests.conformance.lambda_iot.client import Api
from tests.conformance.metric_reporting.client import (
    Daemon,
    Past,
    is_not_found,
    is_refused,
    new_host,
    new_name,
    new_unnamed_host,
    report_in_the_past,
    until_seen,
)
from tests.product import Product

STEPS = {"hour": 15, "day": 300, "quarter": 3600}
LENGTHS = {"hour": 241, "day": 289, "quarter": 2161}


class Series:
    """A metric of a device of its own, with a past that ends about now."""

    def __init__(self, product: Product, daemon: Daemon, person: Api, reports: Sequence[Past], seconds: int) -> None:
        self.daemon = daemon
        self.device = new_unnamed_host(person)
        self.name = new_name()
        # At the beginning of one of the 15 seconds, so that whose point is whose can be read.
        self.begin = (int(time.time()) - seconds) // 300 * 300
        report_in_the_past(product, UUID(self.device), self.name, self.begin, reports)
        until_seen(daemon, self.device, self.name)

    def points(self, window: str) -> dict[int, Any]:
        """By seconds after the beginning."""
        found = self.daemon.ok(f"/devices/{self.device}/metrics/{self.name}/historic/{window}")
        return {one["timestamp"] - self.begin: one["value"] for one in found}


@pytest.fixture
def reported(daemon: Daemon, host: str) -> str:
    """A device that has reported `my-metric`."""
    daemon.report(host)
    return host


@pytest.mark.parametrize("duration", STEPS)
def test_m90_to_m92_a_duration_has_a_full_grid(mount: Daemon, reported: str, duration: str) -> None:
    points = mount.ok(f"/devices/{reported}/metrics/my-metric/historic/last/{duration}")
    now, step = time.time(), STEPS[duration]
    assert len(points) == LENGTHS[duration]
    assert {tuple(one) for one in points} == {("timestamp", "value")}
    times = [one["timestamp"] for one in points]
    assert {after - before for before, after in pairwise(times)} == {step}
    assert times[-1] % step == 0
    assert now - 30 < times[-1] <= now + step


def times(daemon: Daemon, device: str, start: int, end: int) -> list[int]:
    return [one["timestamp"] for one in daemon.ok(f"/devices/{device}/metrics/my-metric/historic/{start}/{end}")]


def test_m93_a_range_of_an_hour_has_quarters_of_minutes(daemon: Daemon, reported: str) -> None:
    now = int(time.time())
    start = now - 600
    found = times(daemon, reported, start, now)
    assert found == list(range(start - start % 15 + 15, now - now % 15 + 16, 15))


def test_m94_a_moment_has_one_point(daemon: Daemon, reported: str) -> None:
    now = int(time.time())
    assert len(times(daemon, reported, now, now)) == 1


def test_m95_more_than_an_hour_has_five_minutes(daemon: Daemon, reported: str) -> None:
    now = int(time.time())
    found = times(daemon, reported, now - 3601, now)
    assert found[1] - found[0] == 300


def test_m96_more_than_a_day_has_hours(daemon: Daemon, reported: str) -> None:
    now = int(time.time())
    found = times(daemon, reported, now - 86_401, now)
    assert found[1] - found[0] == 3600


def test_m97_what_is_not_kept_finely_is_answered_coarsely(daemon: Daemon, reported: str) -> None:
    now = int(time.time())
    for start, end, step in ((7800, 7200, 300), (2 * 86_400, 2 * 86_400 - 7200, 3600)):
        found = times(daemon, reported, now - start, now - end)
        assert found[1] - found[0] == step
    old = daemon.ok(f"/devices/{reported}/metrics/my-metric/historic/{now - 200 * 86_400}/{now - 199 * 86_400}")
    assert {one["value"] for one in old} == {None}


def test_m98_a_value_that_lives_draws_a_line(product: Product, daemon: Daemon, person: Api) -> None:
    series = Series(product, daemon, person, [Past(0, 13, ttl=3600)], 600)
    points = series.points("last/hour")
    known = [at for at, value in points.items() if value is not None]
    assert len(known) >= 9
    assert known == list(range(0, known[-1] + 1, 15))
    assert {points[at] for at in known} == {13}


def test_m99_a_silence_of_a_minute_has_the_new_value(product: Product, daemon: Daemon, person: Api) -> None:
    series = Series(product, daemon, person, [Past(0, 10), Past(62, 20)], 600)
    points = series.points("last/hour")
    assert [points[at] for at in (0, 15, 30, 45, 60, 75)] == [10, 20, 20, 20, 20, None]


def test_m100_a_silence_of_three_minutes_has_none(product: Product, daemon: Daemon, person: Api) -> None:
    series = Series(product, daemon, person, [Past(0, 10), Past(172, 20), Past(187, 20), Past(202, 20)], 900)
    points = series.points("last/hour")
    assert [points[at] for at in range(15, 171, 15)] == [None] * 11
    assert points[195] == 20


@pytest.fixture(scope="module")
def rising(product: Product, all_mounts: dict[str, Daemon], person: Api) -> Series:
    """Ten more every 33 seconds, for ten minutes."""
    reports = [Past(33 * n, 10.0 * n, ttl=33) for n in range(20)]
    return Series(product, all_mounts["3000"], person, reports, 1200)


def test_m101_five_minutes_are_the_mean_of_their_points(rising: Series) -> None:
    fine, coarse = rising.points("last/hour"), rising.points("last/day")
    for end in (300, 600):
        of_them = [fine[at] for at in range(end - 285, end + 1, 15)]
        assert len(of_them) == 20
        assert None not in of_them
        assert coarse[end] == pytest.approx(sum(of_them) / 20, abs=1e-6)


def test_m101_least_most_and_number_are_there_too(rising: Series) -> None:
    fine = [value for at, value in rising.points("last/hour").items() if 0 < at <= 300]
    assert rising.points("last/day?statistic=average") == rising.points("last/day")
    assert rising.points("last/day?statistic=min")[300] == min(fine)
    assert rising.points("last/day?statistic=max")[300] == max(fine)
    assert rising.points("last/day?statistic=count")[300] == 20
    answer = rising.daemon.get(f"/metrics/{rising.name}/historic/last/day?statistic=median")
    is_refused(answer, 400, "Bad Request", "median is not a valid statistic, try [average, min, max, count]")


def test_over_all_devices_is_the_same_as_over_each(rising: Series) -> None:
    for window in ("last/hour", "last/day", "last/quarter", f"{rising.begin}", f"{rising.begin}/{rising.begin + 600}"):
        alone = rising.daemon.ok(f"/devices/{rising.device}/metrics/{rising.name}/historic/{window}")
        assert rising.daemon.ok(f"/metrics/{rising.name}/historic/{window}") == [{"id": rising.device, "values": alone}]


def test_m102_every_device_that_ever_had_it_is_there(daemon: Daemon, person: Api) -> None:
    name = new_name()
    devices = [new_host(person) for _ in range(20)]  # more than are written at a time
    for device in devices:
        daemon.report(device, name=name, ttl=1)
    daemon.report(new_host(person), name=name, type="string", value="x")
    found = daemon.ok(f"/metrics/{name}/historic/last/day")
    assert [one["id"] for one in found] == devices
    assert {len(one["values"]) for one in found} == {289}


def test_m103_an_unknown_device_has_no_history(daemon: Daemon) -> None:
    is_not_found(daemon.get("/devices/999/metrics/x/historic/last/hour"), "Host")
    is_not_found(daemon.get("/devices/999/metrics/historic"), "Host")


@pytest.mark.parametrize("window", ["last/hour", "0/5", "5", "5/3"])
def test_m104_a_metric_that_nobody_has_is_an_empty_list(mount: Daemon, window: str) -> None:
    assert mount.ok(f"/metrics/nope/historic/{window}") == []


def test_m105_a_text_has_no_history(daemon: Daemon, reported: str) -> None:
    name = new_name()
    daemon.report(reported, name=name, type="string", value="x")
    is_not_found(daemon.get(f"/devices/{reported}/metrics/{name}/historic/last/hour"), "Metric")
    is_not_found(daemon.get(f"/devices/{reported}/metrics/nope/historic/last/hour"), "Metric")
    assert daemon.ok(f"/metrics/{name}/historic/last/hour") == []


@pytest.mark.parametrize("of", ["", "/devices/999"])
def test_m106_a_duration_is_one_of_three(mount: Daemon, of: str) -> None:
    answer = mount.get(f"{of}/metrics/x/historic/last/week")
    is_refused(answer, 400, "Bad Request", "week is not a valid LastDuration, try [hour, day, quarter]")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("abc", "invalid syntax"),
        ("1.5", "invalid syntax"),
        ("1_0", "invalid syntax"),
        ("99999999999999999999", "value out of range"),
        ("9223372036854775808", "value out of range"),
        ("-9223372036854775809", "value out of range"),
        ("9" * 6000, "value out of range"),
    ],
)
@pytest.mark.parametrize("of", ["", "/devices/999"])
def test_m107_and_m108_a_time_is_a_number(daemon: Daemon, of: str, text: str, reason: str) -> None:
    detail = (
        f"Time format '{text}' is not valid: {reason}. It should be integer number of seconds since the unix epoch."
    )
    for window in (f"{text}/123", f"123/{text}", text):
        is_refused(daemon.get(f"{of}/metrics/x/historic/{window}"), 400, "Bad Request", detail)


def test_m109_names_are_those_of_numbers_and_sorted(daemon: Daemon, host: str) -> None:
    names = [new_name("é"), new_name("Z"), new_name("a")]
    for name in names:
        daemon.report(host, name=name)
    daemon.report(host, name="text", type="string", value="x")
    expected = [{"id": name, "name": name} for name in sorted(names, key=str.encode)]
    assert daemon.ok(f"/devices/{host}/metrics/historic") == expected
    everywhere = [one["id"] for one in daemon.ok("/metrics/historic")]
    assert everywhere == sorted(everywhere, key=str.encode)
    assert set(names) <= set(everywhere)


def test_m110_a_device_without_history_has_no_names(daemon: Daemon, host: str) -> None:
    assert daemon.ok(f"/devices/{host}/metrics/historic") == []


def test_m112_a_range_does_not_end_before_it_starts(daemon: Daemon, reported: str) -> None:
    answer = daemon.get(f"/devices/{reported}/metrics/my-metric/historic/20/10")
    is_refused(answer, 400, "Bad Request")
    assert daemon.ok("/metrics/my-metric/historic/20/10") == []


def test_m113_history_outlives_the_value(product: Product, daemon: Daemon, person: Api) -> None:
    series = Series(product, daemon, person, [Past(0, 5, ttl=30)], 1800)
    assert daemon.ok(f"/devices/{series.device}/metrics/current") == []
    known = {at: value for at, value in series.points("last/hour").items() if value is not None}
    assert known == {0: 5, 15: 5, 30: 5}


@pytest.mark.parametrize("end", [2**62, 4_294_967_295, 2**63 - 1])
def test_m111_a_far_future_has_a_bounded_answer(daemon: Daemon, reported: str, end: int) -> None:
    for start in (0, -(2**63), int(time.time()) - 60):
        found = times(daemon, reported, start, end)
        assert 0 < len(found) <= 10_000


def test_the_end_may_be_left_out_and_is_now_then(daemon: Daemon, reported: str) -> None:
    now = int(time.time())
    found = daemon.ok(f"/devices/{reported}/metrics/my-metric/historic/{now - 60}")
    assert found[0]["timestamp"] == (now - 60) - (now - 60) % 15 + 15
    assert found[-1]["timestamp"] >= now
