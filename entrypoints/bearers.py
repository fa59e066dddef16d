"""Who a request speaks for: the bearer token of a person or a device, the same for every contract that asks for one."""

from time import monotonic
from uuid import UUID

from adapters.security.tokens import Claims, InvalidTokenError, Tokens
from entrypoints.refusals import asked_by
from projections.as_of import reading_as_of
from projections.identity.accounts import Accounts

# For `/connect`: a token that is no device's own but may connect any, as a bridge's.
DEVICES_CONNECT = "devices.connect"
# For the log, as the audit and as topics.
AUDIT_READ = "audit.read"


class NoTokenError(Exception):
    """There is no bearer token in the request."""


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

    async def admits_device(self, authorization: str | None, device: str) -> bool:
        """Whether the token is the device's own, or one that may connect any device."""
        try:
            claims = await self.claims(authorization)
        except (NoTokenError, InvalidTokenError):
            return False
        return claims.sub == device or DEVICES_CONNECT in claims.scopes


def token_in(authorization: str | None) -> str | None:
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
