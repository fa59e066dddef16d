"""Devices as this contract shows and orders them."""

from collections.abc import Iterable
from uuid import UUID

from entrypoints.metric_reporting.door import Door


async def in_shown_order(door: Door, devices: Iterable[UUID]) -> dict[UUID, str]:
    """The ids that these devices are shown with, numbers first and by their size, then the others (contract 1.6).
    Devices that are not there any more are left out."""
    shown = await door.directory.shown_ids(list(devices))
    return dict(sorted(shown.items(), key=lambda pair: _place(pair[1])))


def _place(id: str) -> tuple[bool, int, str, str]:
    if not (id.isascii() and id.isdigit()):
        return True, 0, id, id
    digits = id.lstrip("0")
    return False, len(digits), digits, id
