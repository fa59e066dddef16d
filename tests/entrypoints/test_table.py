"""Rows for whoever reads them on a terminal."""

from entrypoints.cli.table import lines

COLUMNS = [("topic", "string"), ("events", "int64")]


def test_texts_stand_to_the_left_and_numbers_to_the_right() -> None:
    assert list(lines(COLUMNS, [["a.b", 5], ["a.b.c.d", 12_345]], None)) == [
        "topic    events",
        "───────  ──────",
        "a.b           5",
        "a.b.c.d   12345",
    ]


def test_what_is_too_wide_is_cut_in_the_widest_columns() -> None:
    wide = [("id", "string"), ("data", "string"), ("n", "double")]
    told = list(lines(wide, [["1234567890", "x" * 500, 1.5]], 40))
    assert told[2] == f"1234567890  {'x' * 22}…  1.5"
    assert max(map(len, told)) <= 40
    assert len(list(lines(wide, [["1" * 80, "x" * 500, 1.5]], 10))[2]) == 8 + 2 + 8 + 2 + 3, "so much is always shown"
    assert list(lines(wide, [["1", "x" * 500, 1.5]], None))[2].count("x") == 500


def test_what_is_nothing_or_has_parts_is_told_as_such() -> None:
    columns = [(name, "string") for name in "abcd"]
    told = list(lines(columns, [[None, True, [1, "x"], {"y": None}]], None))[2]
    assert told.split() == ["NULL", "true", '[1,"x"]', '{"y":null}']


def test_nothing_that_somebody_wrote_moves_the_cursor() -> None:
    told = "".join(lines([("a\n", "string")], [["\x1b[31mred\x07"], ["two\nlines"]], None))
    assert told.isprintable()
    assert r"\x1b[31mred\x07" in told
    assert r"two\nlines" in told


def test_wide_letters_take_two_places() -> None:
    told = list(lines(COLUMNS, [["温室", 1], ["Gewächs", 2]], None))
    assert told[2:] == ["温室          1", "Gewächs       2"]
    assert list(lines([("a", "string")], [["温" * 10]], 9))[2] == "温温温温…"
