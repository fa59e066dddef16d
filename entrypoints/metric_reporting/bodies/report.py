"""A report as it is sent: one JSON object, read as the daemon reads it (contract metrics 1.4.1)."""

from typing import Any

import msgspec

from domain.metrics.report import Draft, Report, check
from entrypoints.metric_reporting.bodies.first_value import NotJsonError, first_value
from entrypoints.metric_reporting.bodies.plain import PlainReport, report_of
from entrypoints.metric_reporting.errors import unparsable

_FIELDS = {"name", "value", "units", "type", "slope", "ttl"}
_TEXTS = ("name", "units", "type", "slope")
_LONGEST_TTL = 2**63
_LARGE = 2**63

_plain = msgspec.json.Decoder(PlainReport)
_decode = msgspec.json.Decoder().decode


def report_in(body: bytes) -> Report:
    """Raises RefusedError (400), and ReportInvalidError for what the fields have against them."""
    try:
        plain = _plain.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return check(draft_in(body))
    report = report_of(plain) if _is_certain(plain.value) else None
    return report or check(draft_in(body))


def draft_in(body: bytes) -> Draft:
    """Raises RefusedError (400) for what is no JSON, no object, or has fields of another kind than documented.

    What follows the first JSON value is ignored."""
    try:
        fields: Any = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        fields = None
    if not _is_usual(fields):
        try:
            fields = first_value(body)
        except NotJsonError as wrong:
            raise unparsable(str(wrong)) from None
    return draft_of(fields)


def draft_of(fields: Any) -> Draft:
    """Of JSON that is parsed already; an object as `first_value` has it. Raises RefusedError (400)."""
    if fields is None:
        return Draft()
    if not isinstance(fields, dict):
        raise unparsable(f"the body must be an object, not {_kind(fields)}")
    for field in _TEXTS:
        given = fields.get(field)
        if given is not None and not isinstance(given, str):
            raise unparsable(f"{field} must be a string, not {_kind(given)}")
    ttl = fields.get("ttl")
    if ttl is not None:
        if type(ttl) is not int:
            raise unparsable(f"ttl must be a whole number without a point, not {_kind(ttl)}")
        if not -_LONGEST_TTL <= ttl < _LONGEST_TTL:
            raise unparsable("ttl must fit into 64 bit, as it does not")
    return Draft(
        name=fields.get("name"),
        value=fields.get("value"),
        units=fields.get("units"),
        type=fields.get("type"),
        slope=fields.get("slope"),
        ttl=ttl,
    )


def _is_usual(fields: Any) -> bool:
    """Whether a quick reader reads it as the slow one does: every field is there once and is something, and the value
    is neither a zero, which may have had a sign, nor a number that may be too large."""
    if type(fields) is not dict or fields.keys() != _FIELDS or None in fields.values():
        return False
    return _is_certain(fields["value"])


def _is_certain(value: object) -> bool:
    return type(value) is not int or (value != 0 and -_LARGE < value < _LARGE)


def _kind(given: object) -> str:
    return _KINDS.get(type(given), "an object")


_KINDS = {
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    list: "an array",
    dict: "an object",
    type(None): "null",
}
