"""A report's body: the quick way and the loose way come to the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.metrics.report import SLOPES, TYPES, Draft, ReportInvalidError, check
from entrypoints.metric_reporting.bodies.first_value import NotJsonError, first_value
from entrypoints.metric_reporting.bodies.report import draft_in, draft_of, report_in
from entrypoints.metric_reporting.errors import RefusedError

TEXTS = st.none() | st.text() | st.integers()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "name": TEXTS,
        "value": JSON,
        "units": TEXTS,
        "type": TEXTS,
        "slope": TEXTS,
        "ttl": st.none() | st.integers() | st.floats() | st.text(),
        "NAME": TEXTS,
        "other": JSON,
    },
)


def outcome(read: Any, body: Any) -> Draft | str:
    try:
        draft: Draft = read(body)
    except RefusedError as refused:
        return str(refused)
    return draft


@given(fields=BODIES)
def test_both_ways_come_to_the_same(fields: dict[str, Any]) -> None:
    body = json.dumps(fields).encode()
    try:
        loosely = outcome(draft_of, first_value(body))
    except NotJsonError:
        assert "error parsing JSON body" in str(outcome(draft_in, body))
        return
    assert outcome(draft_in, body) == loosely
    assert outcome(draft_in, body + b" }") == loosely


@pytest.mark.parametrize(("zero", "sign"), [("-0", "-0.0"), ("0", "0"), ("-0.0", "-0.0"), ("0.0", "0.0")])
def test_a_zero_keeps_its_sign(zero: str, sign: str) -> None:
    body = f'{{"name":"x","value":{zero},"units":"","type":"uint8","slope":"both","ttl":5}}'
    assert repr(draft_in(body.encode()).value) == sign


# As almost all reports come, with now and then something that is not quite so.
PLAIN = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["load", "", " ", "a<b"]),
        "value": st.integers() | st.sampled_from([0, 1, -1, 255, 2**63, 1e40, -0.0, 0.5, "text", True, None]),
        "units": st.sampled_from(["W", "", "a<b", "it's"]),
        "type": st.sampled_from([*sorted(TYPES), "int64"]),
        "slope": st.sampled_from([*sorted(SLOPES), "up"]),
        "ttl": st.sampled_from([1, 60, 0, -1, 2**63 - 1, 2**63, 1.5]),
    },
    optional={"NAME": st.just("other"), "other": st.just(1)},
)


@given(fields=PLAIN)
def test_a_report_that_is_read_at_once_is_the_one_that_is_checked_field_by_field(fields: dict[str, Any]) -> None:
    def read(body: bytes) -> Any:
        try:
            return report_in(body)
        except (RefusedError, ReportInvalidError) as refused:
            return str(refused)

    def field_by_field(body: bytes) -> Any:
        try:
            return check(draft_of(first_value(body)))
        except (RefusedError, ReportInvalidError) as refused:
            return str(refused)

    body = json.dumps(fields).encode()
    assert repr(read(body)) == repr(field_by_field(body))
