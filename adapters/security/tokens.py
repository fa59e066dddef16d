"""Bearer tokens: JWT, signed with HS256 and nothing else (contract devices 1.3 and 5)."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from math import isfinite
from typing import Any
from uuid import UUID

import jwt

from domain.value import Value

ALGORITHM = "HS256"
LEEWAY_SECONDS = 30
LIFETIME = timedelta(hours=24)

# Whoever verified a token once does so again for every request, and HMAC with JSON takes 25 µs each time.
REMEMBERED = 10_000
LONGEST = 8_192

# The end of the year 9999; JSON allows any number.
LATEST = 253_402_300_799


class Claims(Value):
    """What a token of ours says. `exp` is in unix seconds."""

    sub: str
    user_id: UUID
    exp: int
    scopes: tuple[str, ...] = ()


class Bearer(Value):
    """What any token signed with our secret says; only `exp` is certain to be there."""

    exp: int
    sub: str | None = None
    user_id: UUID | None = None
    scopes: tuple[str, ...] = ()


class Pass(Value):
    """What a token may say beside being signed by us: when it holds, in unix seconds, and whose it is. None is what it
    does not say."""

    exp: float | None = None
    nbf: float | None = None
    iat: float | None = None
    sub: str | None = None
    user_id: UUID | None = None


class InvalidTokenError(Exception):
    """The token is not worth anything: forged, expired, not complete, or no token at all."""


class TokenExpiredError(InvalidTokenError):
    """It is signed by us and holds no longer."""


class TokenTooEarlyError(InvalidTokenError):
    """It is signed by us and does not hold yet; `claim` is the one that says so, `nbf` or `iat`."""

    def __init__(self, claim: str) -> None:
        super().__init__(f"the token does not hold yet, by its {claim}")
        self.claim = claim


class Tokens:
    """Issues and verifies. The algorithm is ours to name and never read from a token."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._claims: OrderedDict[str, Claims] = OrderedDict()
        self._bearers: OrderedDict[str, Bearer] = OrderedDict()
        self._passes: OrderedDict[str, Pass] = OrderedDict()

    def issue_pass(self, ttl: timedelta = LIFETIME) -> str:
        """A token that says nothing but how long it holds."""
        return jwt.encode({"exp": int(time.time() + ttl.total_seconds())}, self._secret, ALGORITHM)

    def issue(self, subject: str, user_id: UUID, ttl: timedelta = LIFETIME, scopes: Sequence[str] = ()) -> str:
        """A token with exactly `sub`, `user_id` and `exp`, and `scope` if there are any."""
        expires = int(time.time() + ttl.total_seconds())
        payload: dict[str, Any] = {"sub": subject, "user_id": str(user_id), "exp": expires}
        if scopes:
            payload["scope"] = " ".join(scopes)
        return jwt.encode(payload, self._secret, ALGORITHM)

    def verify(self, token: str) -> Claims:
        """A token of a person: `exp`, `sub` and `user_id` are there. Raises InvalidTokenError."""
        known = self._claims.get(token)
        if known is None:
            bearer = self._decode(token)
            if bearer.sub is None or bearer.user_id is None:
                raise InvalidTokenError("the token names nobody")
            known = Claims(sub=bearer.sub, user_id=bearer.user_id, exp=bearer.exp, scopes=bearer.scopes)
            _remember(self._claims, token, known)
        elif known.exp + LEEWAY_SECONDS <= time.time():
            del self._claims[token]
            raise InvalidTokenError("the token has expired")
        return known

    def verify_any(self, token: str) -> Bearer:
        """A token of a program, which need not say whose it is. Raises InvalidTokenError."""
        known = self._bearers.get(token)
        if known is None:
            known = self._decode(token)
            _remember(self._bearers, token, known)
        elif known.exp + LEEWAY_SECONDS <= time.time():
            del self._bearers[token]
            raise InvalidTokenError("the token has expired")
        return known

    def verify_pass(self, token: str) -> Pass:
        """A token that need not say anything, not even when it ends. Raises TokenExpiredError, TokenTooEarlyError, and
        InvalidTokenError for whatever is not signed by us."""
        known = self._passes.get(token)
        if known is None:
            known = self._decode_pass(token)
            _remember(self._passes, token, known)
        now = time.time()
        if known.exp is not None and known.exp + LEEWAY_SECONDS <= now:
            raise TokenExpiredError("the token has expired")
        for claim, begins in (("nbf", known.nbf), ("iat", known.iat)):
            if begins is not None and begins - LEEWAY_SECONDS > now:
                raise TokenTooEarlyError(claim)
        return known

    def _decode_pass(self, token: str) -> Pass:
        if len(token) > LONGEST:
            raise InvalidTokenError("the token is too long")
        try:
            payload = jwt.decode(token, self._secret, algorithms=[ALGORITHM], options=_SIGNATURE_ONLY)
            return Pass(
                exp=_moment(payload, "exp"),
                nbf=_moment(payload, "nbf"),
                iat=_moment(payload, "iat"),
                sub=_text(payload.get("sub")),
                user_id=_id(payload.get("user_id")),
            )
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as wrong:
            raise InvalidTokenError("the token is not valid") from wrong

    def _decode(self, token: str) -> Bearer:
        if len(token) > LONGEST:
            raise InvalidTokenError("the token is too long")
        try:
            payload = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                leeway=LEEWAY_SECONDS,
                # Whom a token is for is each contract's own matter.
                options={"require": ["exp"], "verify_aud": False},
            )
            if payload["exp"] > LATEST:
                raise ValueError("it ends too late to be a time")
            user_id = payload.get("user_id")
            return Bearer(
                exp=int(payload["exp"]),
                sub=_text(payload.get("sub")),
                user_id=None if user_id is None else UUID(user_id),
                scopes=_scopes(payload.get("scope")),
            )
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as wrong:
            # A payload is anybody's JSON until the signature holds, and even then any type may be anywhere.
            raise InvalidTokenError("the token is not valid") from wrong


def _remember(known: OrderedDict[str, Any], token: str, meaning: Value) -> None:
    known[token] = meaning
    if len(known) > REMEMBERED:
        known.popitem(last=False)


# What a token says besides is looked at by whoever is shown it.
_SIGNATURE_ONLY: Any = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}


def _moment(payload: dict[str, Any], claim: str) -> float | None:
    """Raises ValueError for what is there and no time."""
    if claim not in payload:
        return None
    given = payload[claim]
    if isinstance(given, bool) or not isinstance(given, int | float) or not isfinite(given):
        raise ValueError(f"{claim} is no time")
    return float(given)


def _id(given: object) -> UUID | None:
    """Other programs' tokens may have something else there."""
    try:
        return UUID(given) if isinstance(given, str) else None
    except ValueError:
        return None


def _text(given: object) -> str | None:
    return given if isinstance(given, str) and given else None


def _scopes(given: object) -> tuple[str, ...]:
    """A text with spaces between (RFC 8693) or a list."""
    if isinstance(given, str):
        return tuple(given.split())
    return tuple(one for one in given if isinstance(one, str)) if isinstance(given, list) else ()
