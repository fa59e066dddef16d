"""What agents of other systems call a metric, as names and devices of ours.

Prometheus and InfluxDB tell series apart by labels (tags). One of them names the device; the others stay in the name of
the metric, in Prometheus' own notation: `node_cpu_seconds_total{cpu="0",mode="idle"}`. A series without any has the
bare name.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

# How long a value is current that comes with no time to live: as long as Prometheus looks back. A sample that is older
# than this has expired before it came.
TTL = 300

_PORT = re.compile(r":\d{1,5}\Z")
_TO_ESCAPE = re.compile(r'["\\\n]')
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}


class Named(NamedTuple):
    """A device that the series may be of, and what the metric is called if it is."""

    device: str
    metric: str


class Label(NamedTuple):
    """`text` is how it is written in a name."""

    name: str
    value: str
    text: str


def label_of(name: str, value: str) -> Label:
    return Label(name, value, f"{name}={quoted(value)}")


def named(name: str, labels: Sequence[Label], device_labels: Sequence[str]) -> list[Named]:
    """Whose the series may be, by each of `device_labels` in turn: the label `device` is a disk in some of them. What
    comes after the one that names the device says the same once more, so it is no part of the metric's name; nor is
    `job`, which only tells the exporters of one host apart where their ports had to go. `labels` are ordered."""
    values = {label[0]: label[1] for label in labels}
    found = []
    for number, device_label in enumerate(device_labels):
        if text := values.get(device_label):
            left_out = device_labels[number:]
            found.append(Named(text, metric_name(name, labels, (*left_out, "job"))))
            if device_label == "instance" and (host := _PORT.sub("", text)) != text:
                found.append(Named(host, metric_name(name, labels, left_out)))
    return found


def among(found: Iterable[Named], devices: Mapping[str, UUID]) -> Named | None:
    """The first whose device there is."""
    for one in found:
        if one.device in devices:
            return one
    return None


def metric_name(name: str, labels: Iterable[Label], left_out: Collection[str]) -> str:
    """The name with all other labels."""
    kept = [label[2] for label in labels if label[0] not in left_out]
    return f"{name}{{{','.join(kept)}}}" if kept else name


def quoted(value: str) -> str:
    """As Prometheus writes a label's value."""
    return f'"{_TO_ESCAPE.sub(lambda found: _ESCAPES[found[0]], value)}"'
