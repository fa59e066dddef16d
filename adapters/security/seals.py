"""Secrets in configurations, encrypted before they are recorded: AES-256-GCM, its key made of that in the settings."""

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from application.connectors.records import SealBrokenError

_PURPOSE: Final = b"tidemark connector configurations"
# Says how the rest is to be read, so that another way can come beside it.
_FORM: Final = "1:"
_NONCE_BYTES: Final = 12


class Seals:
    """Fills Sealer."""

    def __init__(self, key: str) -> None:
        derived = HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
        self._cipher = AESGCM(derived)

    def seal(self, secrets: Mapping[str, Any]) -> str:
        if not secrets:
            return ""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, msgspec.json.encode(secrets), _PURPOSE)
        return _FORM + b64encode(nonce + sealed).decode()

    def open(self, sealed: str) -> Mapping[str, Any]:
        if not sealed:
            return {}
        try:
            data = b64decode(sealed.removeprefix(_FORM), validate=True)
            opened = self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _PURPOSE)
            return msgspec.json.decode(opened, type=dict[str, Any])
        except (InvalidTag, ValueError, msgspec.MsgspecError) as broken:
            raise SealBrokenError("a sealed secret cannot be opened with this key") from broken
