"""A report as almost all of them come: every field is there, once, and is of its kind. Reading it so takes a third of
the time; whatever is otherwise is read again by `report.py`, which says what is wrong with it, or is lenient."""

import msgspec

from domain.metrics.report import MetricType, Report, Slope, sound


class PlainReport(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: str
    value: int | float | str
    units: str
    type: MetricType
    slope: Slope
    ttl: int


def report_of(plain: PlainReport) -> Report | None:
    """None for what has to be read again."""
    if plain.ttl >= 2**63:
        return None
    return sound(plain.name, plain.value, plain.units, plain.type, plain.slope, plain.ttl)
