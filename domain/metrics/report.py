"""One reported value of one metric, and what may be reported (contract metrics 1.4.2 and 1.4.3).

A draft is a report as it was sent, parsed but not believed. `check` makes a report of it, or says everything that is
wrong with it, in the contract's words and order, so that a door only has to translate.
"""

from collections.abc import Mapping, Sequence
from math import copysign, isfinite, modf
from typing import Any, Final, Literal, NamedTuple, get_args

from domain.errors import InvalidError
from domain.value import Value

MetricType = Literal["string", "int8", "uint8", "int16", "uint16", "int32", "uint32", "float", "double"]
Slope = Literal["zero", "positive", "negative", "both", "derivative"]
Nature = Literal["string_and_time", "constant", "volatile"]

TYPES: Final = frozenset[str](get_args(MetricType))
SLOPES: Final = frozenset[str](get_args(Slope))

# The smallest and the largest value, both included.
RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-32768, 32767),
    "uint16": (0, 65535),
    "int32": (-2147483648, 2147483647),
    "uint32": (0, 4294967295),
}
LARGEST_FLOAT: Final = 3.4028235e38

_NOT_IN_UNITS: Final = frozenset("<>'\"&")
_WHOLE: Final = 1e-9  # a fraction smaller than that is none


class Report(Value):
    """A metric of a device had this value, and has it until `ttl` seconds later unless something else is reported.

    The value is a text for the type `string`, a whole number for those of whole numbers, else a finite one."""

    name: str
    value: int | float | str
    units: str
    type: MetricType
    slope: Slope
    ttl: int


class Draft(Value):
    """A report as somebody sent it. None is what was left out, or sent as null."""

    name: str | None = None
    value: Any = None
    units: str | None = None
    type: str | None = None
    slope: str | None = None
    ttl: int | None = None


class Fault(NamedTuple):
    """What is wrong with one field: the name of the rule, a sentence, and the field."""

    title: str
    detail: str
    source: str


class ReportInvalidError(InvalidError):
    """The draft is no report. `faults` are all there are, in the contract's order."""

    code = "metrics.report_invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.detail for fault in faults))
        self.faults = faults


def check(draft: Draft, *, units_required: bool = True) -> Report:
    """The report that the draft is. Raises ReportInvalidError.

    Without `units_required` absent units are empty ones, as the daemon has it since its document was written (D3)."""
    faults = _faults(draft, units_required)
    value = None
    if draft.type in TYPES and (value := fitting(draft.type, draft.value)) is None:
        faults.append(Fault("validtype", f"value is not valid for type {draft.type}", "value"))
    if faults:
        raise ReportInvalidError(faults)
    return Report(
        name=draft.name,  # type: ignore[arg-type]  # checked, as are the others
        value=value,  # type: ignore[arg-type]  # checked
        units=draft.units or "",
        type=draft.type,  # type: ignore[arg-type]  # checked
        slope=draft.slope,  # type: ignore[arg-type]  # checked
        ttl=draft.ttl,  # type: ignore[arg-type]  # checked
    )


def sound(name: str, value: object, units: str, type: MetricType, slope: Slope, ttl: int) -> Report | None:
    """The report of fields that are of their kinds; None if anything else is wrong, which `check` can tell."""
    if not name or name.isspace() or ttl <= 0 or not _NOT_IN_UNITS.isdisjoint(units):
        return None
    fits = fitting(type, value)
    return None if fits is None else Report(name=name, value=fits, units=units, type=type, slope=slope, ttl=ttl)


def fitting(type: str, value: object) -> int | float | str | None:
    """The value as one of the type; None when it is none. Signs are kept and ranges are held (D4)."""
    if type == "string":
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if (range := RANGES.get(type)) is not None:
        return _whole(value, *range)
    try:
        number = float(value)
    except OverflowError:
        return None
    fits = -LARGEST_FLOAT <= number <= LARGEST_FLOAT if type == "float" else isfinite(number)
    return number if fits else None


def nature(type: str, slope: str) -> Nature:
    """What the metric is to those who draw it (contract 1.5)."""
    if type == "string":
        return "string_and_time"
    return "constant" if slope == "zero" else "volatile"


def _whole(value: float, least: int, most: int) -> int | None:
    if isinstance(value, float):
        if not isfinite(value) or (least == 0 and copysign(1, value) < 0):
            return None
        fraction, whole = modf(value)
        if abs(fraction) >= _WHOLE:
            return None
        value = int(whole)
    return value if least <= value <= most else None


def _faults(draft: Draft, units_required: bool) -> list[Fault]:
    """What is wrong with the fields by themselves; whether the value fits the type is another question."""
    faults: list[Fault] = []
    if not draft.name:
        faults.append(_required("name"))
    elif draft.name.isspace():
        faults.append(Fault("notblank", "name cannot be blank", "name"))
    if draft.value is None:
        faults.append(_required("value"))
    if draft.units is None:
        if units_required:
            faults.append(_required("units"))
    elif not _NOT_IN_UNITS.isdisjoint(draft.units):
        text = "units cannot contain any of the following characters '<>'\"&'"
        faults.append(Fault("excludesall", text, "units"))
    if not draft.type:
        faults.append(_required("type"))
    elif draft.type not in TYPES:
        faults.append(Fault("oneof", f"type must be one of [{' '.join(get_args(MetricType))}]", "type"))
    if not draft.slope:
        faults.append(_required("slope"))
    elif draft.slope not in SLOPES:
        faults.append(Fault("oneof", f"slope must be one of [{' '.join(get_args(Slope))}]", "slope"))
    if not draft.ttl:
        faults.append(_required("ttl"))
    elif draft.ttl < 0:
        faults.append(Fault("min", "ttl must be 1 or greater", "ttl"))
    return faults


def _required(field: str) -> Fault:
    return Fault("required", f"{field} is a required field", field)
