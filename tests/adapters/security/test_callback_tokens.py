"""Tokens that services call back with."""

from uuid import UUID

import pytest

from adapters.security.callback_tokens import CallbackTokens

ID = UUID("d202e1a7-20a2-4581-9630-551dbe39d888")
TOKENS = CallbackTokens("a key")


def test_a_token_tells_whose_it_is() -> None:
    assert TOKENS.holder_of("instance", TOKENS.token("instance", ID)) == ID
    assert TOKENS.token("instance", ID) == TOKENS.token("instance", ID), "none has to be stored"


def test_it_is_of_one_kind_and_one_key() -> None:
    token = TOKENS.token("instance", ID)
    assert TOKENS.holder_of("installation", token) is None
    assert CallbackTokens("another key").holder_of("instance", token) is None


@pytest.mark.parametrize("token", ["", "nonsense", "ä", "AAAA" * 16, "=" * 5])
def test_what_is_no_token_is_of_nobody(token: str) -> None:
    assert TOKENS.holder_of("instance", token) is None


def test_a_changed_token_is_of_nobody() -> None:
    token = TOKENS.token("instance", ID)
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        assert TOKENS.holder_of("instance", f"{token[:place]}{other}{token[place + 1 :]}") is None
