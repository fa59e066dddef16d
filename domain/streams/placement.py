"""Where a message goes: from its key to a token, and from there to a range (contract streams 5).

One logical broker has all tokens, so a partition is one of its ranges. What clients rely on is the hash and that a key
stays where it is.
"""

from functools import lru_cache
from typing import Final, NamedTuple

RANGES: Final = 4
LOWEST: Final = -(2**63)
# Tokens are laid out in units, so that a ring can be doubled without moving the tokens that there are.
_PARTS: Final = 12_288
_UNIT: Final = (2**64 - 1) // _PARTS

_MASK: Final = 2**64 - 1
_C1: Final = 0x87C37B91114253D5
_C2: Final = 0x4CF5AD432745937F


class Place(NamedTuple):
    """The position of a token in the ring of brokers, and the range of that broker."""

    broker: int
    range: int


@lru_cache(maxsize=65_536)  # a hash of a short key takes 5 µs, and keys are said again and again
def partition_of(key: str) -> int:
    """The partition of all messages with the key."""
    return place_of(token_of(key), 1).range


def place_of(token: int, brokers: int) -> Place:
    """Who has the token among so many brokers, 3·2ⁿ or one."""
    share = _UNIT * (_PARTS // brokers)
    broker = min((token - LOWEST) // share, brokers - 1)
    found = (token - LOWEST - broker * share) // (share // RANGES)
    return Place(broker, found if found < RANGES else 0)


def token_of(key: str) -> int:
    """The first 64 bits of MurmurHash3 (x64, 128 bits, seed 0) of the UTF-8 of the key, as a signed number. As in
    Cassandra, the bytes of an incomplete last block count as signed."""
    data = key.encode(errors="surrogateescape")
    h1 = h2 = 0
    whole = len(data) & ~15
    for at in range(0, whole, 16):
        h1 ^= _scrambled(int.from_bytes(data[at : at + 8], "little"), _C1, 31, _C2)
        h1 = (_rotated(h1, 27) + h2) * 5 + 0x52DCE729 & _MASK
        h2 ^= _scrambled(int.from_bytes(data[at + 8 : at + 16], "little"), _C2, 33, _C1)
        h2 = (_rotated(h2, 31) + h1) * 5 + 0x38495AB5 & _MASK
    tail = data[whole:]
    h2 ^= _scrambled(_signed_word(tail[8:]), _C2, 33, _C1)
    h1 ^= _scrambled(_signed_word(tail[:8]), _C1, 31, _C2)
    h1 ^= len(data)
    h2 ^= len(data)
    h1 = h1 + h2 & _MASK
    h2 = h2 + h1 & _MASK
    token = _mixed(h1) + _mixed(h2) & _MASK
    return token - 2**64 if token >= 2**63 else token


def _signed_word(tail: bytes) -> int:
    """Up to eight bytes, the first one lowest; each is extended by its sign before it is put in its place."""
    word = 0
    for at, byte in enumerate(tail):
        word ^= (byte - 256 if byte > 127 else byte) << 8 * at
    return word & _MASK


def _scrambled(word: int, first: int, turn: int, second: int) -> int:
    return _rotated(word * first & _MASK, turn) * second & _MASK


def _rotated(word: int, by: int) -> int:
    return (word << by | word >> 64 - by) & _MASK


def _mixed(word: int) -> int:
    word = (word ^ word >> 33) * 0xFF51AFD7ED558CCD & _MASK
    word = (word ^ word >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return word ^ word >> 33
