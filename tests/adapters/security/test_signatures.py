"""Signatures as connectors' services verify them (contract connectors 2.7.2)."""

from base64 import b64decode

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.security.signatures import new_key_pair, sign, signed_bytes

URL, DATE, BODY = "https://foo.com:8080/bar?hello=world", "Wed, 07 Oct 2020 10:00:00 GMT", b'{"hello":"world"}'


def test_what_is_signed_is_the_published_example() -> None:
    assert signed_bytes("GET", URL, DATE, BODY) == (
        b"(method):GET\r\n(url):https://foo.com:8080/bar?hello=world\r\n"
        b'(Date):Wed, 07 Oct 2020 10:00:00 GMT\r\n(body):{"hello":"world"}'
    )


def test_without_a_body_nothing_follows() -> None:
    assert signed_bytes("DELETE", URL, DATE, b"").endswith(b"\r\n(body):")


def test_the_public_key_verifies_what_the_private_one_signed_and_nothing_else() -> None:
    keys = new_key_pair()
    signature = b64decode(sign(keys.private, "GET", URL, DATE, BODY))
    assert (len(b64decode(keys.public)), len(signature)) == (32, 64)
    verifier = Ed25519PublicKey.from_public_bytes(b64decode(keys.public))
    verifier.verify(signature, signed_bytes("GET", URL, DATE, BODY))
    for other in (("POST", URL, DATE, BODY), ("GET", f"{URL}!", DATE, BODY), ("GET", URL, DATE, b"{}")):
        with pytest.raises(InvalidSignature):
            verifier.verify(signature, signed_bytes(*other))


def test_every_pair_is_another() -> None:
    assert new_key_pair() != new_key_pair()
