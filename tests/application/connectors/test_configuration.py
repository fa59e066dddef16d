from typing import Any

import pytest

from application.connectors.configuration import (
    Configuration,
    ConfigurationInvalidError,
    Setting,
    check,
    with_defaults,
)

SETTINGS = (
    Setting("url", "string", required=True),
    Setting("ticks", "number", default=3, least=1, most=10),
    Setting("tls", "boolean", default=True),
    Setting("fail", "string", choices=("none", "start")),
    Setting("items", "list"),
    Setting("headers", "object", secret=True),
    Setting("bearer_token", "string"),
)


def test_what_is_given_is_kept_and_what_nobody_declared_is_passed_over() -> None:
    given = {"url": "x", "ticks": 2.5, "more": 1, "tls": None, "items": [1]}
    assert check(SETTINGS, given) == Configuration({"url": "x", "ticks": 2.5, "items": [1]}, {})


def test_secrets_are_told_apart_by_their_names_and_by_declaration() -> None:
    checked = check(SETTINGS, {"url": "x", "bearer_token": "t", "headers": {"a": "b"}})
    assert checked == Configuration({"url": "x"}, {"bearer_token": "t", "headers": {"a": "b"}})
    for name in ("password", "basic_password", "shared_secret", "api_key", "jwt", "client_secret"):
        assert Setting(name, "string").is_secret
    assert not Setting("keepalive_s", "number").is_secret


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({}, "url: is missing"),
        ({"url": None}, "url: is missing"),
        ({"url": ""}, "url: is empty"),
        ({"url": 5}, "url: is no string"),
        ({"url": "x", "ticks": "3"}, "ticks: is no number"),
        ({"url": "x", "ticks": True}, "ticks: is no number"),
        ({"url": "x", "ticks": 0.5}, "ticks: is not between 1 and 10"),
        ({"url": "x", "ticks": 11}, "ticks: is not between 1 and 10"),
        ({"url": "x", "tls": 1}, "tls: is no boolean"),
        ({"url": "x", "fail": "often"}, "fail: is none of none, start"),
        ({"url": "x", "items": {}}, "items: is no list"),
        ({"url": "x", "headers": []}, "headers: is no object"),
    ],
)
def test_the_first_wrong_setting_is_named(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationInvalidError) as caught:
        check(SETTINGS, wrong)
    assert caught.value.message == told


def test_a_refusal_never_holds_the_value() -> None:
    with pytest.raises(ConfigurationInvalidError) as caught:
        check(SETTINGS, {"url": "x", "bearer_token": {"token": "hunter2"}})
    assert "hunter2" not in caught.value.message


def test_what_is_not_given_has_its_default_or_none() -> None:
    assert with_defaults(SETTINGS, check(SETTINGS, {"url": "x", "bearer_token": "t"})) == {
        "url": "x",
        "ticks": 3,
        "tls": True,
        "fail": None,
        "items": None,
        "headers": None,
        "bearer_token": "t",
    }
