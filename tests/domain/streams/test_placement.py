import pytest

from domain.streams.placement import LOWEST, RANGES, partition_of, place_of, token_of

# The vectors of the contract (section 5): key, token, and broker and range among 3, 6 and 12 brokers.
VECTORS = [
    ("0", 3083240331115144064, (2, 0), (4, 0), (8, 0)),
    ("123", -7468325962851647638, (0, 1), (0, 2), (1, 0)),
    ("567", 121043304653486666, (1, 2), (3, 0), (6, 0)),
    ("234", 7965679026441812387, (2, 3), (5, 2), (11, 0)),
    ("product-1", 5349317850044249170, (2, 1), (4, 2), (9, 1)),
    ("user-42", 5562752747223120546, (2, 1), (4, 3), (9, 2)),
    ("abcd", -5153323217664422577, (0, 2), (1, 1), (2, 2)),
    ("wxyz", 6541399000449243469, (2, 2), (5, 0), (10, 1)),
    ("mmmm", 1406774400723249678, (1, 2), (3, 1), (6, 3)),
    ("hello", -3758069500696749310, (0, 3), (1, 3), (3, 2)),
    ("hello, world", 3760413751763713166, (2, 0), (4, 0), (8, 1)),
    ("0123456789012345", -6689751078119097958, (0, 1), (0, 3), (1, 2)),
    ("01234567890123456", -4867265143268638648, (0, 2), (1, 1), (2, 3)),
    ("é", 5461403030378599040, (2, 1), (4, 3), (9, 2)),
    ("日本語キー", -2282031165555333249, (1, 0), (2, 1), (4, 2)),
    ("a b&c=d", 598179504921229658, (1, 2), (3, 0), (6, 1)),
]


@pytest.mark.parametrize(("key", "token", "of_three", "of_six", "of_twelve"), VECTORS)
def test_a_key_is_where_every_client_expects_it(
    key: str, token: int, of_three: tuple[int, int], of_six: tuple[int, int], of_twelve: tuple[int, int]
) -> None:
    assert token_of(key) == token
    assert (place_of(token, 3), place_of(token, 6), place_of(token, 12)) == (of_three, of_six, of_twelve)


def test_no_key_has_no_token_of_its_own() -> None:
    assert token_of("") == 0


def test_one_broker_has_every_token_and_its_ranges_share_them_evenly() -> None:
    counts = [0] * RANGES
    for n in range(2_000):
        counts[partition_of(f"device-{n}")] += 1
    assert min(counts) > 400
    assert place_of(LOWEST, 1) == (0, 0)
    assert place_of(2**63 - 1, 1) == (0, 0), "the remainder at the end of the ring belongs to the first range"
    assert place_of(2**63 - 1 - 20_000, 1) == (0, 3)
