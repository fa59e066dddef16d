"""Tokens: HS256 and nothing else, never without an end, and none is believed longer than it says."""

import base64
import json
import time
from datetime import timedelta
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from freezegun import freeze_time

from adapters.security.tokens import (
    LEEWAY_SECONDS,
    REMEMBERED,
    Bearer,
    Claims,
    InvalidTokenError,
    Pass,
    TokenExpiredError,
    Tokens,
    TokenTooEarlyError,
)

SECRET = "4f1c0de9a7b35e28d6c1f04b9a8273e5"
USER = uuid4()


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(SECRET)


def signed(secret: str = SECRET, **claims: object) -> str:
    return jwt.encode({"sub": "ada", "user_id": str(USER), "exp": int(time.time()) + 60, **claims}, secret, "HS256")


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def test_what_was_issued_is_verified(tokens: Tokens) -> None:
    with freeze_time("2026-01-14T10:00:00Z"):
        token = tokens.issue("ada", USER)
        assert tokens.verify(token) == Claims(sub="ada", user_id=USER, exp=int(time.time()) + 86400)
        shown = jwt.decode(token, options={"verify_signature": False})
    assert set(shown) == {"sub", "user_id", "exp"}


def test_scopes_travel(tokens: Tokens) -> None:
    token = tokens.issue("ada", USER, timedelta(minutes=1), ["connctd.connector", "read"])
    assert tokens.verify(token).scopes == ("connctd.connector", "read")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "RS256", "HS384", "HS512", "ES256"])
def test_the_algorithm_is_not_read_from_the_token(tokens: Tokens, algorithm: str) -> None:
    head, body, signature = signed().split(".")
    for signed_by in ("", signature):
        with pytest.raises(InvalidTokenError):
            tokens.verify(f"{part({'alg': algorithm, 'typ': 'JWT'})}.{body}.{signed_by}")
    assert tokens.verify(f"{head}.{body}.{signature}")


def test_other_algorithms_with_good_signatures_are_refused(tokens: Tokens) -> None:
    claims = {"sub": "ada", "user_id": str(USER), "exp": int(time.time()) + 60}
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for token in (jwt.encode(claims, key, "RS256"), jwt.encode(claims, SECRET * 2, "HS512")):
        with pytest.raises(InvalidTokenError):
            tokens.verify(token)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": 10**400},
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
        {"user_id": None},
        {"user_id": "5"},
        {"user_id": 5},
        {"nbf": 2**40},
    ],
)
def test_what_is_missing_or_wrong_makes_a_token_worthless(tokens: Tokens, claims: dict[str, object]) -> None:
    payload = {"sub": "ada", "user_id": str(USER), "exp": int(time.time()) + 60, **claims}
    present = {name: value for name, value in payload.items() if value is not None}
    body = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(present)}"
    mac = jwt.api_jws.PyJWS().get_algorithm_by_name("HS256")
    signature = base64.urlsafe_b64encode(mac.sign(body.encode(), mac.prepare_key(SECRET))).decode().rstrip("=")
    with pytest.raises(InvalidTokenError):
        tokens.verify(f"{body}.{signature}")


@pytest.mark.parametrize("token", ["", "a.b.c", "a", "....", "é.é.é", "x" * 10_000])
def test_what_is_no_token_is_refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(InvalidTokenError):
        tokens.verify(token)


def test_another_secret_makes_other_tokens(tokens: Tokens) -> None:
    with pytest.raises(InvalidTokenError):
        tokens.verify(signed("another secret, long enough to be one"))


def test_a_token_ends_also_when_it_was_verified_before(tokens: Tokens) -> None:
    with freeze_time("2026-01-14T10:00:00Z") as clock:
        token = tokens.issue("ada", USER, timedelta(seconds=60))
        tokens.verify(token)
        tokens.verify_any(token)
        clock.tick(60 + LEEWAY_SECONDS - 1)
        tokens.verify(token)
        clock.tick(1)
        for verify in (tokens.verify, tokens.verify_any, Tokens(SECRET).verify):
            with pytest.raises(InvalidTokenError):
                verify(token)


def test_a_program_need_not_say_who_it_is(tokens: Tokens) -> None:
    expires = int(time.time()) + 60
    token = jwt.encode({"exp": expires}, SECRET, "HS256")
    assert tokens.verify_any(token) == Bearer(exp=expires)
    with pytest.raises(InvalidTokenError):
        tokens.verify(token)
    with pytest.raises(InvalidTokenError):
        tokens.verify_any(jwt.encode({"sub": "no end"}, SECRET, "HS256"))


def test_the_memory_of_tokens_is_bounded(tokens: Tokens) -> None:
    first = signed()
    tokens.verify(first)
    for number in range(REMEMBERED):
        tokens._claims[f"other {number}"] = tokens.verify(first)
    tokens.verify(signed(jti="new"))
    assert len(tokens._claims) <= REMEMBERED + 1


def test_a_pass_need_not_say_anything(tokens: Tokens) -> None:
    assert tokens.verify_pass(jwt.encode({}, SECRET, "HS256")) == Pass()
    shown = tokens.verify_pass(signed(aud="somebody else", scp="user", iat=time.time() - 1))
    assert (shown.sub, shown.user_id) == ("ada", USER)
    assert tokens.verify_pass(signed(user_id=7, sub="x")).user_id is None


def test_a_pass_holds_from_when_until_when_it_says(tokens: Tokens) -> None:
    with freeze_time("2026-01-14T10:00:00Z") as clock:
        now = time.time()
        ending, beginning, issued = (jwt.encode({claim: now}, SECRET, "HS256") for claim in ("exp", "nbf", "iat"))
        clock.tick(-LEEWAY_SECONDS - 1)
        assert tokens.verify_pass(ending).exp == now
        for token, claim in ((beginning, "nbf"), (issued, "iat")):
            with pytest.raises(TokenTooEarlyError) as early:
                tokens.verify_pass(token)
            assert early.value.claim == claim
        clock.tick(2 * LEEWAY_SECONDS + 1)
        tokens.verify_pass(beginning)
        tokens.verify_pass(issued)
        for _ in ("found out", "remembered"):
            with pytest.raises(TokenExpiredError):
                tokens.verify_pass(ending)


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("time_of_day", ['"soon"', "null", "true", "[1]", "NaN", "1e999"])
def test_a_time_in_a_pass_is_a_number(tokens: Tokens, claim: str, time_of_day: str) -> None:
    with pytest.raises(InvalidTokenError):
        tokens.verify_pass(jwt.api_jws.encode(f'{{"{claim}":{time_of_day}}}'.encode(), SECRET, "HS256"))


def test_a_pass_that_is_issued_ends_in_a_day(tokens: Tokens) -> None:
    token = tokens.issue_pass()
    assert list(jwt.decode(token, options={"verify_signature": False})) == ["exp"]
    assert tokens.verify_pass(token).exp == pytest.approx(time.time() + 86_400, abs=20)
    with pytest.raises(InvalidTokenError):
        tokens.verify(token)
    for worthless in ("", "a.b.c", "x" * 10_000, jwt.encode({}, SECRET * 2, "HS256")):
        with pytest.raises(InvalidTokenError):
            tokens.verify_pass(worthless)
