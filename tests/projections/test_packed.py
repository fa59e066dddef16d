"""What is packed is unpacked the same, and blocks are cut where the archive's rows are."""

from hypothesis import given
from hypothesis import strategies as st

from domain.metrics.grid import ARCHIVES
from domain.metrics.series import Completed, Series, Summary, begin
from projections.metrics.packed import BLOCK, MOVING, SLOTS, Block, BlockKey, Line, averages, packed, unpacked

NOON = 1_768_392_000

numbers = st.floats(allow_nan=False)
summaries = st.builds(Summary, numbers, numbers, numbers, st.integers(0, 240))
states = st.builds(
    Series,
    st.integers(-(2**62), 2**62),
    st.none() | numbers,
    st.integers(0, 2**62),
    st.integers(0, 15),
    numbers,
    *(st.integers(0, 20), numbers, numbers, numbers),
    *(st.integers(0, 240), numbers, numbers, numbers),
)
lines = st.builds(
    Line,
    st.integers(0, 2**62),
    states,
    st.lists(numbers, max_size=MOVING),
    st.lists(summaries, max_size=4),
    st.lists(summaries, max_size=2),
)


@given(lines)
def test_a_line_comes_back_the_same(line: Line) -> None:
    assert unpacked(line.id, packed(line)) == line


def test_a_ring_has_room_for_what_is_kept_and_for_the_block_that_is_filled() -> None:
    assert SLOTS == (2, 3, 10)
    for archive, slots in zip(ARCHIVES, SLOTS, strict=True):
        assert (slots - 1) * BLOCK * archive.step >= archive.kept


def moved(*points: int, line: Line, blocks: dict[BlockKey, Block]) -> None:
    """So many points of 15 seconds become complete each time, and are moved."""
    for count in points:
        written = line.series.written + 15 * count
        line.take(Series(written), Completed([1.0] * count, [], []))
        line.move(blocks)


def test_points_are_cut_into_blocks_and_follow_what_is_there() -> None:
    line, blocks = Line(7, begin(NOON + 15)), dict[BlockKey, Block]()
    moved(100, 100, 100, line=line, blocks=blocks)
    found = [(block.first, len(averages(block.averages))) for block in blocks.values()]
    first = NOON // 15 + 1
    rest = BLOCK - first % BLOCK
    assert found == [(first * 15, rest), ((first + rest) * 15, 300 - rest)]
    assert all(block.first // 15 % BLOCK + len(block.averages) // 8 <= BLOCK for block in blocks.values())


def test_the_next_round_of_a_ring_takes_the_place_of_the_last() -> None:
    line, blocks = Line(7, begin(NOON + 15)), dict[BlockKey, Block]()
    moved(*[50] * 50, line=line, blocks=blocks)
    assert {key[2] for key in blocks} == {0, 1}
    assert max(block.first + len(block.averages) // 8 * 15 for block in blocks.values()) == line.series.written + 15


def test_when_points_move_follows_from_the_series_alone() -> None:
    moves = {}
    for id in range(MOVING):
        line = Line(id, begin(NOON + 15))
        takes = [line.take(Series(NOON + 15 * n), Completed([1.0], [], [])) for n in range(1, 2 * MOVING + 1)]
        moves[id] = [n for n, move in enumerate(takes) if move]
    assert all(len(of_one) == 2 for of_one in moves.values())
    assert len({of_one[0] for of_one in moves.values()}) == MOVING
