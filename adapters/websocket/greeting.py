"""What a device says of itself in the headers with which it connects (contract 2.1)."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple, cast

from domain.devices.link import PayloadMode

Headers = Mapping[str, str]
"""By lower-case name; of several with one name the first."""

RESERVED = frozenset({"command", "query", "show"})
_is_id = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}").fullmatch

_LONGEST = 128
_LONGEST_AGENT = 256


class MalformedGreetingError(Exception):
    """The device does not say who it is, or not in a way that can be used."""


class Greeting(NamedTuple):
    device: str
    name: str
    type: str
    user_agent: str
    payload_mode: PayloadMode


def greeting(headers: Headers) -> Greeting:
    """Raises MalformedGreetingError. Ids and types may be spelled with a hyphen or an underscore."""
    device = headers.get("device-id") or headers.get("device_id") or ""
    if not device:
        raise MalformedGreetingError("The header Device-Id is missing.")
    if not _is_id(device):
        raise MalformedGreetingError(
            "The Device-Id must begin with a letter or digit and hold at most 128 letters, digits and . _ : @ -."
        )
    if device in RESERVED:
        raise MalformedGreetingError(f"The Device-Id may not be {device}, which is a word of the API.")
    mode = headers.get("device-payload-mode", "raw").lower()
    if mode not in ("raw", "field"):
        raise MalformedGreetingError("Device-Payload-Mode must be raw or field.")
    return Greeting(
        device=device,
        name=cleaned(headers.get("device-name") or headers.get("device_name") or "", _LONGEST),
        type=cleaned(headers.get("device-type") or headers.get("device_type") or "", _LONGEST),
        user_agent=cleaned(headers.get("user-agent", ""), _LONGEST_AGENT),
        payload_mode=cast("PayloadMode", mode),
    )


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    headers: dict[str, str] = {}
    for name, value in raw:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = value.decode("latin-1")
        headers.setdefault(name.decode("latin-1").lower(), text.strip())
    return headers


def cleaned(text: str, longest: int) -> str:
    """Without what a page that shows it, or a terminal, could take for anything but text (contract 5.15, 5.16)."""
    kept = (c for c in text if c not in "<>&\"'" and unicodedata.category(c) not in _UNPRINTABLE)
    return "".join(kept).strip()[:longest]


# Control and format characters, halves of characters, private and unassigned ones; separators of lines and paragraphs.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
