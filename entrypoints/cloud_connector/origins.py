"""Browsers: which pages may use the connector, and the headers that let them (contract devices 1.5, 5.15, 5.17)."""

import re
from collections.abc import Collection

_LOOPBACK = re.compile(r"https?://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_METHODS = b"GET, HEAD, POST, OPTIONS"
_HEADERS = b"Content-Type, Authorization, X-Request-Id, X-Correlation-Id"
_EXPOSED = b"Retry-After, Tidemark-Position, Tidemark-Stale, X-Request-Id"
_MAX_AGE = b"600"
_VARY = (b"vary", b"Origin")

Headers = list[tuple[bytes, bytes]]


class Origins:
    """`listed` as browsers send them; with `loopback` also every page that this machine serves, on any port."""

    def __init__(self, listed: Collection[str] = (), *, loopback: bool = False) -> None:
        self._listed = frozenset(listed)
        self._loopback = loopback

    def allow(self, origin: str) -> bool:
        return origin in self._listed or (self._loopback and _LOOPBACK.fullmatch(origin) is not None)

    def headers(self, origin: str | None) -> Headers:
        """For every answer, errors included: a page whose origin is not allowed is told nothing."""
        if origin is None or not self.allow(origin):
            return [_VARY]
        allowed = (b"access-control-allow-origin", origin.encode("latin-1"))
        return [allowed, (b"access-control-expose-headers", _EXPOSED), _VARY]

    def preflight(self, origin: str | None) -> Headers:
        if origin is None or not self.allow(origin):
            return [_VARY]
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _HEADERS),
            (b"access-control-max-age", _MAX_AGE),
            _VARY,
        ]
