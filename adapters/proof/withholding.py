"""Taking the values out of an event without changing its leaf."""

from adapters.proof.offline import parted


def without_values(state: bytes) -> bytes:
    """The same event; the SHA-256 of its values stands behind everything else, where nobody who reads events looks.

    Raises ValueError for what is no event with values.
    """
    head, digest, tail = parted(state)
    return b'%s[]%s,"values_sha256":"%s"}' % (head, tail[:-1], digest.hex().encode())
