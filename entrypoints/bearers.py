"""Who a request speaks for: the bearer token of a person or a device, the same for every contract that asks for one."""

from time import monotonic
from typing import Literal
from uuid import UUID

from adapters.security.tokens import Claims, InvalidTokenError, Tokens
from application.ports import LogUnavailableError
from entrypoints.refusals import asked_by
from projections.as_of import reading_as_of
from projections.identity.accounts import Accounts

# For `/connect`: a token that is no device's own but may connect any, as a bridge's.
DEVICES_CONNECT = "devices.connect"
# For the log, as the audit and as topics.
AUDIT_READ = "audit.read"


class NoTokenError(Exception):
    """There is no bearer token in the request."""


class ForbiddenError(Exception):
    """The token does not allow it."""


class LockedOut:
    """The accounts that were disabled: asked at most once a second, not once a request."""

    def __init__(self, accounts: Accounts, seconds: float = 1.0) -> None:
        self._accounts = accounts
        self._seconds = seconds
        self._asked = -seconds
        self._disabled: frozenset[UUID] = frozenset()

    async def has(self, user_id: UUID) -> bool:
        if monotonic() - self._asked >= self._seconds:
            self._asked = monotonic()
            try:
                with reading_as_of(None):  # who may not act now may not look at the past either
                    self._disabled = await self._accounts.disabled()
            except BaseException:
                self._asked = -self._seconds  # nobody is let in on what was known before
                raise
        return user_id in self._disabled


class Bearers:
    """Checks tokens: signed by us, not expired, of an account in force."""

    def __init__(self, tokens: Tokens, locked_out: LockedOut) -> None:
        self._tokens = tokens
        self._locked_out = locked_out

    async def claims(self, authorization: str | None) -> Claims:
        """What the header's token says. Raises NoTokenError, InvalidTokenError, and LogUnavailableError when nobody
        knows which accounts are disabled."""
        token = token_in(authorization)
        if token is None:
            raise NoTokenError
        claims = self._tokens.verify(token)
        if await self._locked_out.has(claims.user_id):
            raise InvalidTokenError("the account is disabled")
        asked_by(f"user:{claims.user_id}")
        return claims

    async def claims_for(self, what: str, scope: str, authorization: str | None) -> Claims:
        """What the token of somebody says who may do what needs the scope. Raises ForbiddenError, and what `claims`
        raises."""
        claims = await self.claims(authorization)
        require_scope(claims, what, scope)
        return claims

    async def claims_at(self, auth: Literal["open", "token"], authorization: str | None) -> Claims | None:
        """What the header's token says, at a door that may stand open: there nobody needs one, but whoever shows a good
        one is on record. Raises what `claims` raises where the door is closed."""
        if auth == "open" and authorization is None:
            return None
        try:
            return await self.claims(authorization)
        except (NoTokenError, InvalidTokenError, LogUnavailableError):
            if auth != "open":
                raise
            return None

    async def admits_device(self, authorization: str | None, device: str) -> bool:
        """Whether the token is the device's own, or one that may connect any device."""
        try:
            claims = await self.claims(authorization)
        except (NoTokenError, InvalidTokenError):
            return False
        return claims.sub == device or DEVICES_CONNECT in claims.scopes


def require_scope(claims: Claims, what: str, scope: str) -> None:
    """`what` begins the sentence that ForbiddenError says."""
    if scope not in claims.scopes:
        raise ForbiddenError(f"{what} needs a token with the scope {scope}")


def token_in(authorization: str | None) -> str | None:
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
