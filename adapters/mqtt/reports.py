"""Reports of a device's metrics: the body of the contract's PUT, or an array of such (contract metrics 1.4)."""

from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec

from domain.metrics.report import Draft, Report, ReportInvalidError, check

MAX_REPORTS = 500


class Reports(NamedTuple):
    """Of one message. `rejected` elements were no reports; the others are not spoilt by them. `because` says what is
    wrong with the first of these."""

    device_id: UUID
    reports: tuple[Report, ...]
    rejected: int = 0
    because: str = ""


# A value is read apart, because a zero may have a sign.
class _Body(msgspec.Struct, gc=False):
    name: str | None = None
    value: msgspec.Raw = msgspec.Raw(b"null")
    units: str | None = None
    type: str | None = None
    slope: str | None = None
    ttl: Annotated[int, msgspec.Meta(le=2**63 - 1)] | None = None


_body = msgspec.json.Decoder(_Body)
_bodies = msgspec.json.Decoder(list[_Body])
_elements = msgspec.json.Decoder(list[msgspec.Raw])
_value = msgspec.json.Decoder(Any)


def reports_in(device_id: UUID, payload: bytes) -> Reports:
    """Raises ReportInvalidError when no element is a report, and what msgspec raises for what is no JSON."""
    if payload.lstrip()[:1] != b"[":
        return Reports(device_id, (_report(_body.decode(payload)),))
    try:
        # Nearly always all is well.
        return Reports(device_id, tuple([_report(body) for body in _bounded(_bodies.decode(payload))]))
    except (ReportInvalidError, msgspec.ValidationError):
        return _good(device_id, _bounded(_elements.decode(payload)))


def _good(device_id: UUID, elements: list[msgspec.Raw]) -> Reports:
    good: list[Report] = []
    faults: list[Exception] = []
    for element in elements:
        try:
            good.append(_report(_body.decode(element)))
        except (ReportInvalidError, msgspec.ValidationError) as fault:
            faults.append(fault)
    if not good:
        raise faults[0]
    return Reports(device_id, tuple(good), len(faults), str(faults[0]))


def _bounded(bodies: list[Any]) -> list[Any]:
    if not 0 < len(bodies) <= MAX_REPORTS:
        raise msgspec.DecodeError(f"an array must hold 1 to {MAX_REPORTS} reports")
    return bodies


def _report(body: _Body) -> Report:
    text = bytes(body.value)
    value = -0.0 if text == b"-0" else _value.decode(text)
    return check(Draft(name=body.name, value=value, units=body.units, type=body.type, slope=body.slope, ttl=body.ttl))
