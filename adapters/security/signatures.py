"""Signatures of requests to connectors' services: Ed25519 over the request as the service sees it (contract connectors
2.7.2)."""

from base64 import b64decode, b64encode
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class KeyPair(NamedTuple):
    """Both in standard Base64; the public one is told, the private one is sealed."""

    public: str
    private: str


def new_key_pair() -> KeyPair:
    key = Ed25519PrivateKey.generate()
    return KeyPair(b64encode(key.public_key().public_bytes_raw()).decode(), b64encode(key.private_bytes_raw()).decode())


def signed_bytes(method: str, url: str, date: str, body: bytes) -> bytes:
    """What is signed. The URL begins with https whatever the road, as the services' own kit reckons."""
    head = f"(method):{method}\r\n(url):{url}\r\n(Date):{date}\r\n(body):"
    return head.encode() + body


def sign(private_key: str, method: str, url: str, date: str, body: bytes) -> str:
    """The header `Signature`."""
    key = Ed25519PrivateKey.from_private_bytes(b64decode(private_key))
    return b64encode(key.sign(signed_bytes(method, url, date, body))).decode()
