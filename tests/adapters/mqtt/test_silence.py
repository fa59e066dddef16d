"""When a device that never speaks of its presence counts as gone (contract devices 3.5)."""

from uuid import uuid4

import pytest

from adapters.mqtt.silence import SilenceWatch

DEVICE = uuid4()
OTHER = uuid4()


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


def test_silence_lasts_at_least_three_minutes(clock: Seconds) -> None:
    watch = SilenceWatch(clock)
    for clock.now in (0, 1, 2, 3):
        watch.heard(DEVICE)
    clock.now = 3 + 179
    assert list(watch.fallen_silent()) == []
    clock.now = 3 + 180
    assert list(watch.fallen_silent()) == [DEVICE]


def test_what_is_expected_counts_as_heard_without_becoming_more_frequent(clock: Seconds) -> None:
    watch = SilenceWatch(clock)
    for clock.now in (0, 600, 1200):
        watch.heard(DEVICE)
    clock.now = 1260
    watch.expect(DEVICE)
    clock.now = 1260 + 1799
    assert list(watch.fallen_silent()) == []
    clock.now = 1260 + 1800
    assert list(watch.fallen_silent()) == [DEVICE]
    watch.expect(OTHER)
    clock.now += 180
    assert list(watch.fallen_silent()) == [OTHER]


def test_silence_is_three_times_the_usual_interval(clock: Seconds) -> None:
    watch = SilenceWatch(clock)
    for clock.now in (0, 600, 1200):
        watch.heard(DEVICE)
    clock.now = 1200 + 1799
    assert list(watch.fallen_silent()) == []
    clock.now = 1200 + 1800
    assert list(watch.fallen_silent()) == [DEVICE]


def test_a_silence_is_reported_once_and_again_after_the_next_sign(clock: Seconds) -> None:
    watch = SilenceWatch(clock)
    watch.heard(DEVICE)
    clock.now = 200
    assert list(watch.fallen_silent()) == [DEVICE]
    assert list(watch.fallen_silent()) == []
    watch.heard(DEVICE)
    clock.now = 400
    assert list(watch.fallen_silent()) == [DEVICE]


def test_a_device_that_speaks_of_its_presence_is_not_watched(clock: Seconds) -> None:
    watch = SilenceWatch(clock)
    watch.heard(DEVICE)
    watch.speaks_for_itself(DEVICE)
    clock.now = 1000
    assert list(watch.fallen_silent()) == []


def test_only_so_many_devices_are_remembered(clock: Seconds) -> None:
    watch = SilenceWatch(clock, at_most=2)
    devices = [uuid4() for _ in range(3)]
    for device in devices:
        watch.heard(device)
    clock.now = 1000
    assert list(watch.fallen_silent()) == devices[1:]
