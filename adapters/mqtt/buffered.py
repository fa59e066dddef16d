"""A socket read in large pieces, for a reader that asks for a byte at a time."""

from typing import Protocol

CHUNK = 64 * 1024


class RawSocket(Protocol):
    """What a non-blocking socket, plain or TLS, offers."""

    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: bytes | bytearray, /) -> int: ...
    def close(self) -> None: ...
    def fileno(self) -> int: ...
    def setblocking(self, flag: bool, /) -> None: ...


class BufferedSocket:
    """paho asks the kernel three times for every message (type, length, rest); here two of them hit memory, and
    mostly all three. `pending` says how much has been read ahead: whoever waits for the file descriptor
    must ask for that first, since the kernel does not know of it."""

    def __init__(self, raw: RawSocket) -> None:
        self._raw = raw
        self._ahead = b""
        self._taken = 0

    def recv(self, size: int) -> bytes:
        """At most `size` bytes; raises what the socket raises when there is nothing."""
        if self._taken == len(self._ahead):
            self._ahead, self._taken = self._raw.recv(CHUNK), 0
        start = self._taken
        taken = self._ahead[start : start + size]
        self._taken = start + len(taken)
        return taken

    def pending(self) -> int:
        ahead = len(self._ahead) - self._taken
        within_tls = getattr(self._raw, "pending", None)
        return ahead + (within_tls() if within_tls else 0)

    def send(self, data: bytes | bytearray) -> int:
        return self._raw.send(data)

    def close(self) -> None:
        self._raw.close()

    def fileno(self) -> int:
        return self._raw.fileno()

    def setblocking(self, flag: bool) -> None:
        self._raw.setblocking(flag)
