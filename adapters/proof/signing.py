"""The key that signs checkpoints."""

import base64
import binascii

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED_BYTES = 32


class SigningKey:
    """Ed25519, from its seed of 32 bytes in base64, as `openssl rand -base64 32` makes one."""

    def __init__(self, seed: str) -> None:
        """Raises ValueError, which does not tell the seed."""
        self._key = Ed25519PrivateKey.from_private_bytes(seed_of(seed))

    @property
    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def seed_of(text: str) -> bytes:
    """Raises ValueError, which does not tell what was given."""
    try:
        seed = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        seed = b""
    if len(seed) != SEED_BYTES:
        raise ValueError(f"not {SEED_BYTES} bytes in base64")
    return seed
