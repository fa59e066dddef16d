"""What series of other systems are called here, and whose they are."""

from uuid import uuid4

from entrypoints.metric_reporting.series import among, label_of, named

DEVICE_LABELS = ("device", "instance")


def whose(**labels: str) -> list[tuple[str, str]]:
    found = named("up", sorted(label_of(name, value) for name, value in labels.items()), DEVICE_LABELS)
    return [tuple(one) for one in found]


def test_the_first_label_that_names_a_device_counts() -> None:
    assert whose(device="1", instance="2", job="node") == [("1", "up"), ("2", 'up{device="1"}')]


def test_a_series_that_names_nobody_is_of_nobody() -> None:
    assert whose(mode="idle", device="") == []


def test_a_port_may_be_left_away_and_then_the_job_is_not() -> None:
    assert whose(instance="web:9100", job="node") == [("web:9100", "up"), ("web", 'up{job="node"}')]
    assert whose(instance="[::1]:9100") == [("[::1]:9100", "up"), ("[::1]", "up")]


def test_values_of_labels_are_escaped() -> None:
    assert whose(device="1", path='a"b\\c\nd') == [("1", 'up{path="a\\"b\\\\c\\nd"}')]


def test_the_likeliest_device_that_there_is_has_the_series() -> None:
    found = named("up", [label_of("device", "sda"), label_of("instance", "web:1")], DEVICE_LABELS)
    there = among(found, {"web": uuid4()})
    assert there is not None
    assert there == ("web", 'up{device="sda"}')
    assert among(found, {}) is None
