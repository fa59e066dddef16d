"""Blackening secrets, by the name they go under and by what they look like."""

import re
from collections.abc import Mapping
from typing import Any

BLACKENED = "***"

_SECRET_NAME = re.compile(
    r"passw(or)?d|secret|token|authorization|credential|api[_-]?key|private[_-]?key|cookie", re.IGNORECASE
)
# The words in a line: user:password in a URL, `password=…`, a bearer header, a JWT, an argon2 hash.
_PATTERNS = (
    (re.compile(r"([a-z][a-z0-9+.-]*://)[^/\s@'\"]*@", re.IGNORECASE), rf"\1{BLACKENED}@"),
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {BLACKENED}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), BLACKENED),
    (re.compile(r"\$argon2\w*\$[^\s'\"]+"), BLACKENED),
    (
        re.compile(
            r"""((?:passw(?:or)?d|password_hash|secret|token|api_?key)['"]?\s*[:=]\s*)(?:'[^']*'|"[^"]*"|[^\s,;&})'"]+)""",
            re.IGNORECASE,
        ),
        rf"\1{BLACKENED}",
    ),
)


def redacted(value: Any, name: str = "") -> Any:
    """The value with everything blackened that is called like a secret or looks like one."""
    if name and _SECRET_NAME.search(name) and value not in (None, "", True, False):
        return BLACKENED
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, bytes):
        return redacted_text(value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {key: redacted(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(inner) for inner in value]
    if isinstance(value, int | float) or value is None:
        return value
    return redacted_text(str(value))


def redacted_text(text: str) -> str:
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
