"""What a connection acknowledged, to know a message that was delivered again just before the broker heard of it.

nats-server delivers what is not acknowledged in time again on the same connection, under the same packet id while the
acknowledgement is not there, and under a new one while it is on its way to the stream. So there are two rules:

* The packet id was this message's, and we acknowledged it here.
* The connection has been read for twice the time after which the broker delivers again. Whatever an earlier
  connection had left has been delivered on this one by then, so a repetition (DUP) is of a message that this one
  delivered, and its words were acknowledged here.
"""

from array import array
from collections.abc import Callable

REMEMBERED = 32_768


class Acknowledged:
    """Remembers the latest message of each packet id and the words (digests) of the latest 32,768 to 65,536.

    `ack_wait` is the broker's, in seconds.
    """

    def __init__(self, ack_wait: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ack_wait = ack_wait
        self._only_own_from = 0.0
        self._by_packet = array("Q", bytes(8 * 65_536))
        self._latest: set[int] = set()
        self._before: set[int] = set()
        self.reading_again()

    def reading_again(self) -> None:
        """The connection is read from now on."""
        self._only_own_from = self._clock() + 2 * self._ack_wait

    def add(self, mid: int, digest: int) -> None:
        self._by_packet[mid] = digest
        self._latest.add(digest)
        if len(self._latest) >= REMEMBERED:
            self._latest, self._before = set(), self._latest

    def has(self, mid: int, digest: int) -> bool:
        """Whether a message that came again, and waits here no more, was acknowledged on this connection."""
        if self._by_packet[mid] == digest:
            return True
        return self._clock() >= self._only_own_from and (digest in self._latest or digest in self._before)
