"""Current values in Prometheus' text form.

A family is a name that Prometheus allows. A metric whose name is another one is put into the family that its name
comes nearest to, and tells its name in the label `metric`; labels that came in over remote write are labels again. A
text is a 1 with the text in the label `value`.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from entrypoints.metric_reporting.series import quoted
from projections.metrics.current import CurrentValue

TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_LABELLED = re.compile(r'([^{}]+)\{((?:[a-zA-Z_]\w*="(?:[^"\\]|\\.)*",?)+)\}', re.DOTALL | re.ASCII)
_LABEL = re.compile(r'([a-zA-Z_]\w*)=("(?:[^"\\]|\\.)*")', re.DOTALL | re.ASCII)
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_:]")

# What we say of each value; the same label of somebody else is called as Prometheus calls it then.
_OURS = frozenset(("device", "metric", "units", "value"))


class _Family(NamedTuple):
    """`labels` are written out, each with a comma before it."""

    name: str
    labels: str


class Exposition:
    """Takes values in any order; what belongs to one family stands together in the page."""

    def __init__(self) -> None:
        self._families: dict[str, list[str]] = {}

    def add(self, values: Iterable[CurrentValue], shown: Mapping[UUID, str]) -> None:
        """`shown` is what devices are called; what is reported of others is left out."""
        for value in values:
            device = shown.get(value.device_id)
            if device is not None:
                self._add(device, value)

    def page(self) -> bytes:
        return "".join(["".join(self._families[name]) for name in sorted(self._families)]).encode()

    def _add(self, device: str, value: CurrentValue) -> None:
        family, labels = _family(value.name)
        if value.units:
            labels = f"{labels},units={quoted(value.units)}"
        number = value.value
        if isinstance(number, str):
            labels, number = f"{labels},value={quoted(number)}", 1
        self._families.setdefault(family, []).append(f"{family}{{device={quoted(device)}{labels}}} {number!r}\n")


@lru_cache(maxsize=4_096)
def _family(name: str) -> _Family:
    found = _LABELLED.fullmatch(name)
    bare, labels = (found[1], found[2]) if found else (name, "")
    told = [(f"exported_{label}" if label in _OURS else label, text) for label, text in _LABEL.findall(labels)]
    family = _NOT_IN_NAMES.sub("_", bare)
    if family[0].isdigit():
        family = f"_{family}"
    if family != bare:
        told.insert(0, ("metric", quoted(bare)))
    return _Family(family, "".join(f",{label}={text}" for label, text in told))
