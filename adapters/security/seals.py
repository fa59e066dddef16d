"""Secrets in configurations, encrypted before they are recorded: AES-256-GCM, its key made of that in the settings."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.security.sealing import opened, sealed
from application.connectors.records import SealBrokenError

_PURPOSE: Final = b"tidemark connector configurations"


class Seals:
    """Fills Sealer."""

    def __init__(self, key: str) -> None:
        self._key = HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())

    def seal(self, secrets: Mapping[str, Any]) -> str:
        return sealed(self._key, msgspec.json.encode(secrets), _PURPOSE) if secrets else ""

    def open(self, text: str) -> Mapping[str, Any]:
        if not text:
            return {}
        try:
            return msgspec.json.decode(opened(self._key, text, _PURPOSE), type=dict[str, Any])
        except (ValueError, msgspec.MsgspecError) as broken:
            raise SealBrokenError("a sealed secret cannot be opened with this key") from broken
