"""The tokens that connectors' services call back with: made of what they are for and the key, so none is stored."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, Literal
from uuid import UUID

Holder = Literal["installation", "instance"]

_PURPOSE: Final = b"tidemark connector callback "
_SIGN_BYTES: Final = 32


class CallbackTokens:
    """An `installation` is an instance of ours, an `instance` a client (contract connectors 2.1)."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def token(self, holder: Holder, id: UUID) -> str:
        return urlsafe_b64encode(id.bytes + self._sign(holder, id)).decode().rstrip("=")

    def holder_of(self, holder: Holder, token: str) -> UUID | None:
        """None for a token that was not made with this key, or for the other kind."""
        try:
            id = UUID(bytes=urlsafe_b64decode(token + "=" * (-len(token) % 4))[:16])
        except ValueError:
            return None
        # Compared as texts, since Base64 has several spellings of the same bytes.
        return id if token.isascii() and hmac.compare_digest(self.token(holder, id), token) else None

    def _sign(self, holder: Holder, id: UUID) -> bytes:
        return hmac.digest(self._key, _PURPOSE + holder.encode() + b" " + id.bytes, "sha256")[:_SIGN_BYTES]
