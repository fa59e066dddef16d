"""Codes in addresses that a person is sent to: made of what they are for and the key, so that none is stored."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final
from uuid import UUID

_PURPOSE: Final = b"tidemark connector consent "
_SIGN_BYTES: Final = 16


class ConsentCodes:
    """For the page on which an end customer agrees to a client."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def code(self, client_id: UUID) -> str:
        return urlsafe_b64encode(client_id.bytes + self._sign(client_id)).decode().rstrip("=")

    def client_of(self, code: str) -> UUID | None:
        """None for a code that was not made with this key."""
        try:
            data = urlsafe_b64decode(code + "=" * (-len(code) % 4))
            client_id = UUID(bytes=data[:16])
        except ValueError:
            return None
        # Compared as texts, since Base64 has several spellings of the same bytes.
        known = code.isascii() and hmac.compare_digest(self.code(client_id), code)
        return client_id if known else None

    def _sign(self, client_id: UUID) -> bytes:
        return hmac.digest(self._key, _PURPOSE + client_id.bytes, "sha256")[:_SIGN_BYTES]
