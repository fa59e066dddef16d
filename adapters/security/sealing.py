"""Bytes encrypted so that nobody can read or change them: AES-256-GCM, as text."""

import os
from base64 import b64decode, b64encode
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# Says how the rest is to be read, so that another way can come beside it.
_FORM: Final = "1:"
_NONCE_BYTES: Final = 12


def sealed(key: bytes, data: bytes, purpose: bytes) -> str:
    """`key` has 32 bytes. Only who knows the same purpose can open it."""
    nonce = os.urandom(_NONCE_BYTES)
    return _FORM + b64encode(nonce + AESGCM(key).encrypt(nonce, data, purpose)).decode()


def opened(key: bytes, text: str, purpose: bytes) -> bytes:
    """Raises ValueError for what was not sealed so."""
    data = b64decode(text.removeprefix(_FORM), validate=True)
    try:
        return AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], purpose)
    except InvalidTag as broken:
        raise ValueError("it was sealed with another key, for another purpose, or changed since") from broken
