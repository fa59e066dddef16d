"""Notices devices that never speak of their presence and have fallen silent (contract devices 3.5)."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final
from uuid import UUID

SHORTEST: Final = 180.0
TIMES: Final = 3


class _Heard:
    __slots__ = ("at", "reported", "usual")

    def __init__(self, at: float) -> None:
        self.at = at
        self.usual = 0.0
        self.reported = False


class SilenceWatch:
    """Remembers when each device was last heard and how often it usually is: a moving mean of its intervals.

    `clock` counts seconds. Beyond `at_most` devices the longest unheard is forgotten. What it knows is lost with
    the process, so whoever starts it names the devices that should be there (`heard`).
    """

    def __init__(self, clock: Callable[[], float], at_most: int = 100_000) -> None:
        self._clock = clock
        self._at_most = at_most
        self._heard: OrderedDict[UUID, _Heard] = OrderedDict()

    def heard(self, device_id: UUID) -> None:
        now = self._clock()
        known = self._heard.get(device_id)
        if known is None:
            self._heard[device_id] = _Heard(now)
            if len(self._heard) > self._at_most:
                self._heard.popitem(last=False)
            return
        # A return after silence is no interval that it usually keeps.
        if not known.reported:
            interval = now - known.at
            known.usual = interval if not known.usual else 0.8 * known.usual + 0.2 * interval
        known.at, known.reported = now, False
        self._heard.move_to_end(device_id)

    def expect(self, device_id: UUID) -> None:
        """It should be there, and counts as heard now, whatever was heard before of it or of nobody."""
        known = self._heard.get(device_id)
        if known is None:
            self.heard(device_id)
        else:
            known.at, known.reported = self._clock(), False
            self._heard.move_to_end(device_id)

    def speaks_for_itself(self, device_id: UUID) -> None:
        """The device reports its presence, so its silence means nothing."""
        self._heard.pop(device_id, None)

    def fallen_silent(self) -> Iterator[UUID]:
        """The devices that have been silent for too long by now, each once per silence."""
        now = self._clock()
        for device_id, known in self._heard.items():
            silence = now - known.at
            if silence < SHORTEST:
                return  # all further ones were heard later
            if not known.reported and silence >= max(SHORTEST, TIMES * known.usual):
                known.reported = True
                yield device_id
