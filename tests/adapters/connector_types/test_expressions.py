"""Expressions that operators write for the settings of their connectors."""

import pytest

from adapters.connector_types.expressions import is_expression, matches


@pytest.mark.parametrize(
    "text", ["", "^[a-z]+$", r"^\d{3}-\d{4}$", "a|b", "ä+", "(?i)key", r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$"]
)
def test_what_can_be_matched_is_an_expression(text: str) -> None:
    assert is_expression(text)


@pytest.mark.parametrize("text", ["[", "(", "*", "(?=a)b", r"(a)\1", "a{1000}{1000}{1000}"])
def test_what_cannot_be_matched_in_time_is_none(text: str) -> None:
    assert not is_expression(text)
    assert not matches(text, "a")


def test_it_is_found_anywhere_unless_it_says_where() -> None:
    assert matches("b+", "abc")
    assert not matches("^b+$", "abc")
    assert matches("^ä.$", "äö")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("expression", ["^(a+)+$", "^(a|a)*$", "(.*)*(.*)*x$"])
def test_no_expression_takes_for_ever(expression: str) -> None:
    assert not matches(expression, "a" * 10_000 + "!")
