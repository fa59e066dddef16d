"""Histories as JSON. A quarter of a thousand devices has two million points, which is why no point is an object here:
the times are encoded once, and the numbers of a device all at once."""

from collections.abc import Sequence

import msgspec

from domain.metrics.grid import Grid

_encode = msgspec.json.Encoder().encode


class Points:
    """Writes values that lie on the one grid."""

    def __init__(self, grid: Grid) -> None:
        pieces: list[bytes] = []
        for time in grid.times:
            pieces += [b'},{"timestamp":%d,"value":' % time, b""]
        pieces[0] = pieces[0].replace(b"},", b"[", 1)
        self._pieces = [*pieces, b"}]"]

    def written(self, values: Sequence[float | None]) -> bytes:
        """`[{"timestamp":…,"value":…},…]`, whole numbers without a fraction; as many values as the grid has points."""
        numbers = _encode(values)[1:-1].replace(b".0,", b",").removesuffix(b".0").split(b",")
        pieces = self._pieces.copy()
        pieces[1:-1:2] = numbers
        return b"".join(pieces)
