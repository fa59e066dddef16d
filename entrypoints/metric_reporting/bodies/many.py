"""Many reports in one body: a JSON array, or NDJSON, which is a JSON value on each line. Each is an object as of a
single report, with the device in `device`."""

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from domain.metrics.report import Fault, Report, ReportInvalidError, check
from entrypoints.exchange import TooLargeError
from entrypoints.metric_reporting.bodies.first_value import NotJsonError, first_value
from entrypoints.metric_reporting.bodies.plain import PlainReport, report_of
from entrypoints.metric_reporting.bodies.report import draft_of
from entrypoints.metric_reporting.errors import RefusedError, unparsable

NDJSON = "application/x-ndjson"
MOST_REPORTS = 50_000

Form = Literal["array", "lines"]


class Sent(NamedTuple):
    """A report, and what its device is called."""

    device: str
    report: Report


Refusal = RefusedError | ReportInvalidError
Item = Sent | Refusal


class Items(NamedTuple):
    """What was sent, each taken or refused by itself, in the order in which it came."""

    form: Form
    items: Sequence[Item]


# What is as it should be; everything else is read again, to say what is wrong with it or to be lenient.
class _Line(PlainReport, forbid_unknown_fields=True, gc=False):
    device: str


_line = msgspec.json.Decoder(_Line)
_array = msgspec.json.Decoder(list[_Line])
_elements = msgspec.json.Decoder(list[msgspec.Raw])

# A zero that had a sign is no unsigned number, and is none any more when it has been decoded.
_SIGNED_ZERO = re.compile(rb"(?<=[:\s])-0(?![.\d])")


def items_in(body: bytes, content_type: str) -> Items:
    """NDJSON when the content type says so, else what the first character says; blank lines of NDJSON are none. Raises
    RefusedError (400) for what is neither, and TooLargeError for more than MOST_REPORTS."""
    form = _form(body, content_type)
    try:
        if not _SIGNED_ZERO.search(body):
            return Items(form, [_sent(line) for line in _bounded(_decoded(form, body))])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, _NotPlainError):
        pass
    return Items(form, [_item(bytes(element)) for element in _bounded(_split(form, body))])


class _NotPlainError(Exception):
    pass


def _form(body: bytes, content_type: str) -> Form:
    if content_type.partition(";")[0].strip().lower() == NDJSON:
        return "lines"
    match body.lstrip()[:1]:
        case b"[":
            return "array"
        case b"{":
            return "lines"
    raise unparsable("the body must be an array of reports, or a report on each line")


def _decoded(form: Form, body: bytes) -> list[_Line]:
    return _array.decode(body) if form == "array" else _line.decode_lines(body)


def _split(form: Form, body: bytes) -> Sequence[bytes | msgspec.Raw]:
    if form == "lines":
        return [line for line in body.split(b"\n") if line.strip()]
    try:
        return _elements.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unparsable(str(error)) from None


def _bounded(items: Sequence[Any]) -> Sequence[Any]:
    if len(items) > MOST_REPORTS:
        raise TooLargeError
    return items


def _sent(line: _Line) -> Sent:
    """Raises _NotPlainError."""
    report = report_of(line)
    if report is None or not line.device:
        raise _NotPlainError
    return Sent(line.device, report)


def _item(element: bytes) -> Item:
    if not _SIGNED_ZERO.search(element):
        try:
            return _sent(_line.decode(element))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, _NotPlainError):
            pass
    try:
        return _read(element)
    except (RefusedError, ReportInvalidError) as refusal:
        return refusal


def _read(element: bytes) -> Sent:
    """As a single report is read, with the device as the first of its fields."""
    try:
        fields = first_value(element)
    except NotJsonError as wrong:
        raise unparsable(str(wrong)) from None
    draft = draft_of(fields)
    device = fields.get("device") if isinstance(fields, dict) else None
    if type(device) is int:
        device = str(device)
    if device is not None and not isinstance(device, str):
        raise unparsable("device must be a string")
    faults: list[Fault] = []
    report: Report | None = None
    try:
        report = check(draft)
    except ReportInvalidError as refusal:
        faults = list(refusal.faults)
    if not device:
        faults.insert(0, Fault("required", "device is a required field", "device"))
    if faults or report is None or not device:
        raise ReportInvalidError(faults)
    return Sent(device, report)
