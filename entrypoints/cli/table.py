"""Rows as a table for whoever reads them on a terminal."""

from collections.abc import Iterator, Sequence
from typing import Any
from unicodedata import combining, east_asian_width

import msgspec

_NUMBERS = ("int", "uint", "float", "double", "decimal", "halffloat")
_BETWEEN = "  "
_NARROWEST = 8


def lines(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], width: int | None) -> Iterator[str]:
    """Columns are given by name and type; numbers stand to the right. Where there is a width, what is too long for it
    is cut, in the widest columns first."""
    names = [_printable(name) for name, _ in columns]
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(names, *cells, strict=True)]
    if width is not None:
        widest = _widest(widths, width - len(_BETWEEN) * (len(widths) - 1))
        widths = [min(one, widest) for one in widths]
    to_the_right = [type.startswith(_NUMBERS) for _, type in columns]
    for line in (names, ["─" * one for one in widths], *cells):
        placed = [_placed(*one) for one in zip(line, widths, to_the_right, strict=True)]
        yield _BETWEEN.join(placed).rstrip()


def _widest(widths: Sequence[int], room: int) -> int:
    """How wide a column may be so that all of them have room."""
    widest = max(widths)
    while widest > _NARROWEST and sum(min(one, widest) for one in widths) > room:
        widest = min(widest - 1, max(room, _NARROWEST))
    return widest


def _cell(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case str():
            return _printable(value)
        case bool() | list() | dict():
            return _printable(msgspec.json.encode(value).decode())
    return str(value)


def _printable(text: str) -> str:
    """Nothing in it moves the cursor or rings the bell."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _placed(text: str, width: int, to_the_right: bool) -> str:
    left = width - _width(text)
    if left < 0:
        kept, taken = "", 0
        for one in text:
            taken += _width(one)
            if taken >= width:
                break
            kept += one
        text = f"{kept}…"
        left = width - _width(text)
    return " " * left + text if to_the_right else text + " " * left


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)
