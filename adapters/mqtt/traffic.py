"""What goes over the devices' connections, counted. A moment for each message and 40 bytes for each device,
beside its place in a dict."""

from array import array
from collections.abc import Callable, Collection, Iterator
from time import monotonic, time
from uuid import UUID

from application.ports import Totals, Traffic

# Of each device: three counts, and two times beside them, as the clock gives them, since making whole seconds of a
# time takes as long as everything else.
_RECEIVED, _SENT, _ONLINE, _COUNTS = range(4)
_LAST_RECEIVED, _LAST_SENT, _TIMES = range(3)


class DeviceTraffic:
    """Totals over the life of the process, and counters for each device that was heard of.

    A device's counters begin anew when its presence says that it came, and end when it says that it is gone. Those of
    a device whose coming was told to another gateway begin with the first message. Beyond `at_most` devices the latest
    takes the place of the one before it. `clock` counts seconds, `now` is Unix time.
    """

    def __init__(
        self, clock: Callable[[], float] = monotonic, now: Callable[[], float] = time, at_most: int = 100_000
    ) -> None:
        self._clock = clock
        self._now = now
        self._at_most = at_most
        self._since = clock()
        self._received = 0
        self._sent = 0
        self._counts = array("L")
        self._times = array("d")
        # By the id as a number, which is compared without calling into Python.
        self._place_of: dict[int, int] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        """How many devices are counted."""
        return len(self._place_of)

    def came(self, device_id: UUID) -> None:
        """Its presence says that it is there. Said again, it changes nothing."""
        place = self._place(device_id.int)
        if not self._counts[_COUNTS * place + _ONLINE]:
            self._clear(place)
            self._counts[_COUNTS * place + _ONLINE] = 1

    def went(self, device_id: UUID) -> None:
        """Its presence says that it is gone."""
        place = self._place_of.pop(device_id.int, None)
        if place is not None:
            self._free.append(place)

    def received(self, device_id: UUID | None) -> None:
        """A message of a device, or of one that nobody can name."""
        self._received += 1
        if device_id is not None:
            place = self._place_of.get(device_id.int)
            if place is None:
                place = self._new_place(device_id.int)
            self._counts[_COUNTS * place] += 1
            self._times[_TIMES * place] = self._now()

    def sent(self, device_id: UUID | None) -> None:
        """A message to a device, or to all of them."""
        self._sent += 1
        if device_id is not None:
            place = self._place(device_id.int)
            self._counts[_COUNTS * place + _SENT] += 1
            self._times[_TIMES * place + _LAST_SENT] = self._now()

    def of(self, device_ids: Collection[UUID]) -> Iterator[Traffic]:
        """What is known of these devices."""
        for device_id in device_ids:
            place = self._place_of.get(device_id.int)
            if place is not None:
                received, sent = self._counts[_COUNTS * place : _COUNTS * place + _ONLINE]
                last_received, last_sent = self._times[_TIMES * place : _TIMES * (place + 1)]
                yield Traffic(device_id, received, sent, int(last_received), int(last_sent))

    def totals(self) -> Totals:
        seconds = int(self._clock() - self._since) + 1
        return Totals(self._received, self._sent, self._received // seconds, self._sent // seconds)

    def _place(self, device: int) -> int:
        place = self._place_of.get(device)
        return self._new_place(device) if place is None else place

    def _new_place(self, device: int) -> int:
        if len(self._place_of) >= self._at_most:
            self._free.append(self._place_of.popitem()[1])
        if self._free:
            place = self._free.pop()
        else:
            place = len(self._times) // _TIMES
            self._counts.frombytes(bytes(self._counts.itemsize * _COUNTS))
            self._times.frombytes(bytes(self._times.itemsize * _TIMES))
        self._clear(place)
        self._place_of[device] = place
        return place

    def _clear(self, place: int) -> None:
        for field in range(_COUNTS):
            self._counts[_COUNTS * place + field] = 0
        for field in range(_TIMES):
            self._times[_TIMES * place + field] = 0.0
