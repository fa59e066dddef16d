"""Bodies that come compressed, and the bounds within which they are made large again."""

import zlib

from entrypoints.exchange import TooLargeError

_GZIP = 16 + zlib.MAX_WBITS


class UnreadableError(Exception):
    """The body is not what it is said to be. Says what is wrong with it."""


def plain(body: bytes, encoding: str | None, largest: int) -> bytes:
    """The body without its content encoding: gzip or none. Raises UnreadableError, and TooLargeError before more than
    `largest` bytes are made of it."""
    match (encoding or "identity").strip().lower():
        case "identity":
            return body
        case "gzip" | "x-gzip":
            return _unzipped(body, largest)
    raise UnreadableError(f"content encoding {encoding} is not known, gzip is")


def _unzipped(body: bytes, largest: int) -> bytes:
    parts, size = [], 0
    while body:
        member = zlib.decompressobj(_GZIP)
        try:
            part = member.decompress(body, largest - size + 1)
        except zlib.error as error:
            raise UnreadableError(f"not gzip: {error}") from None
        size += len(part)
        if size > largest:
            raise TooLargeError
        if not member.eof:
            raise UnreadableError("not gzip: cut off")
        parts.append(part)
        body = member.unused_data
    return b"".join(parts)
