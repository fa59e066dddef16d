"""A report's body: the quick way and the loose way come to the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.metrics.report import Draft
from entrypoints.metric_reporting.bodies.first_value import NotJsonError, first_value
from entrypoints.metric_reporting.bodies.report import draft_in, draft_of
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
