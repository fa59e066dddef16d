"""Pointers into JSON, and what becomes of what they lead to."""

from typing import Any

import pytest

from adapters.connector_types.mapping import mapped_actions, mapped_properties, pointed, text_at, values_in
from application.connectors.configuration import ConfigurationInvalidError

# The examples of RFC 6901, section 5.
DOCUMENT: dict[str, Any] = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, 'k"l': 6, " ": 7, "m~n": 8}


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("", DOCUMENT),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
        ("/foo/2", None),
        ("/foo/-", None),
        ("/foo/x", None),
        ("/foo/0/x", None),
        ("/none", None),
    ],
)
def test_a_pointer_leads_where_the_rfc_says(pointer: str, found: Any) -> None:
    assert pointed(DOCUMENT, pointer) == found


@pytest.mark.parametrize(
    ("type", "given", "told"),
    [
        ("NUMBER", 21, "21"),
        ("NUMBER", 21.5, "21.5"),
        ("NUMBER", 0.1, "0.1"),
        ("NUMBER", 1e300, "1e+300"),
        ("NUMBER", "12.5", "12.5"),
        ("NUMBER", "warm", None),
        ("NUMBER", "nan", None),
        ("NUMBER", True, None),
        ("NUMBER", None, None),
        ("NUMBER", [1], None),
        ("BOOLEAN", True, "true"),
        ("BOOLEAN", False, "false"),
        ("BOOLEAN", 1, "true"),
        ("BOOLEAN", "FALSE", "false"),
        ("BOOLEAN", 2, None),
        ("BOOLEAN", "yes", None),
        ("STRING", "red", "red"),
        ("STRING", 5, "5"),
        ("STRING", True, "true"),
        ("STRING", {}, None),
    ],
)
def test_a_value_is_a_text_of_its_type_or_left_out(type: str, given: Any, told: str | None) -> None:
    mapped = mapped_properties({"properties": [{"id": "p", "type": type}]}, required=True)
    assert [value.value for value in values_in({"p": given}, mapped)] == ([] if told is None else [told])


def test_a_name_may_be_a_number_and_nothing_else_that_is_no_text() -> None:
    given: list[Any] = ["x", 5, True, None, []]
    assert [text_at({"id": one}, "/id") for one in given] == ["x", "5", "", "", ""]


@pytest.mark.parametrize("actions", [5, ["x"], [{}], [{"id": "a b"}], [{"id": "a", "parameters": [{"name": "n"}]}]])
def test_what_is_no_action_is_refused(actions: Any) -> None:
    with pytest.raises(ConfigurationInvalidError):
        mapped_actions({"actions": actions})
