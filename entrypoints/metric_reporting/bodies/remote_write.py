"""Prometheus remote write 1.0: a `WriteRequest` in protobuf, in snappy's block format.

Reading one takes two steps, because which label names the device shows once it is known which devices there are.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from math import isnan
from struct import pack
from typing import NamedTuple
from uuid import UUID

import cramjam
from google.protobuf.message import DecodeError

from domain.metrics.report import Report, Slope
from entrypoints.exchange import TooLargeError
from entrypoints.metric_reporting import series
from entrypoints.metric_reporting.bodies.encoded import UnreadableError
from entrypoints.metric_reporting.bodies.remote_write_pb2 import Label, Sample, WriteRequest
from entrypoints.metric_reporting.series import TTL, Named, among, named

# As large as the largest block that agents send (vmagent; Prometheus stays far below). What is read takes several times
# as much memory.
LARGEST_WRITE = 8 * 1024 * 1024

DEVICE_LABELS = ("device", "instance")

NAME = "__name__"

# The value that says that a series has ended, a NaN of its own.
STALE = 0x7FF0000000000002

# So many series are known, and so many bytes of all their labels, and of one: 60 to 100 MB when there are so many.
KNOWN, LONGEST_KNOWN, LONGEST_LABEL = 131_072, 384, 128

# By these a name says that its values only increase.
_COUNTERS = ("_total", "_count", "_bucket", "_sum")


class Identity(NamedTuple):
    """`named` are where a series may belong and what the metric is called there, the likeliest first; empty when it has
    no name, or a label twice. `devices` are what these devices are called."""

    named: Sequence[Named]
    devices: tuple[str, ...]
    slope: Slope


# A tuple without a name, because there are so many of them.
Series = tuple[Identity, Iterable[Sample]]


class Counts(NamedTuple):
    """Samples that are no reports, by reason. `stale` are marks that a series has ended, `not_finite` are values that
    no metric of ours can have, `late` are older than their time to live, `invalid` have no name or a label twice."""

    unknown_device: int = 0
    stale: int = 0
    not_finite: int = 0
    late: int = 0
    invalid: int = 0


class Written(NamedTuple):
    """`of` are the reports by device, each in the order in which they came, and `unknown_devices` what those call
    themselves that there are not."""

    of: Mapping[UUID, Sequence[Report]]
    counts: Counts
    unknown_devices: Mapping[str, int]


def read_series(body: bytes) -> Sequence[Series]:
    """Raises UnreadableError and TooLargeError."""
    try:
        request = WriteRequest.FromString(_decompressed(body))
        return [(_identity(tuple(one.labels)), one.samples) for one in request.timeseries]
    except DecodeError as error:
        raise UnreadableError(f"no WriteRequest: {error}") from None


def reports_of(all_series: Sequence[Series], devices: Mapping[str, UUID], now: float) -> Written:
    """`devices` are those that there are among all that are named; `now` in seconds since the epoch."""
    by_name: dict[str, list[Report]] = {}
    unknown: dict[str, int] = {}
    stale = not_finite = late = invalid = 0
    oldest = (now - TTL) * 1000
    for identity, samples in all_series:
        called, names, slope = identity
        if not called:
            invalid += len(list(samples))
            continue
        place = among(called, devices)
        if place is None:
            unknown[names[0]] = unknown.get(names[0], 0) + len(list(samples))
            continue
        device, metric = place
        into = by_name.get(device)
        if into is None:
            into = by_name[device] = []
        for sample in samples:
            value = sample.value
            if value - value != 0:  # neither NaN nor infinite
                if isnan(value) and pack(">d", value) == _STALE:
                    stale += 1
                else:
                    not_finite += 1
            elif sample.timestamp < oldest:
                late += 1
            else:
                into.append(Report(name=metric, value=value, units="", type="double", slope=slope, ttl=TTL))
    of: dict[UUID, list[Report]] = {}
    for device, reports in by_name.items():
        if reports:
            of.setdefault(devices[device], []).extend(reports)
    return Written(of, Counts(sum(unknown.values()), stale, not_finite, late, invalid), unknown)


_STALE = STALE.to_bytes(8, "big")

# Of a series that names no device.
_NOWHERE = (Named("", ""),)


def _decompressed(body: bytes) -> bytes:
    """The size is read from the first bytes, before anything is made as large as they say."""
    try:
        if cramjam.snappy.decompress_raw_len(body) > LARGEST_WRITE:
            raise TooLargeError
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise UnreadableError(f"not in snappy's block format: {error}") from None


def _identity(encoded: tuple[bytes, ...]) -> Identity:
    """The same series come every few seconds: looked up they take a fifth of the time. Those that are so long that
    they would fill the memory are read each time."""
    return (_known if sum(map(len, encoded)) <= LONGEST_KNOWN else _read)(encoded)


def _read(encoded: tuple[bytes, ...]) -> Identity:
    given = [_label(one) if len(one) <= LONGEST_LABEL else _label.__wrapped__(one) for one in encoded]
    given.sort()  # they should be
    name, labels, before = "", [], ""
    for label in given:
        if label[0] == before:
            return Identity((), (), "both")
        before = label[0]
        if before == NAME:
            name = label[1]
        elif label[1]:  # an empty one is none
            labels.append(label)
    if not name or name.isspace():
        return Identity((), (), "both")
    called = named(name, labels, DEVICE_LABELS) or _NOWHERE
    devices = tuple([one.device for one in called])
    return Identity(called, devices, "positive" if name.endswith(_COUNTERS) else "both")


_known = lru_cache(maxsize=KNOWN)(_read)


@lru_cache(maxsize=32_768)
def _label(encoded: bytes) -> series.Label:
    label = Label.FromString(encoded)
    return series.label_of(label.name, label.value)
