"""Loopback ports: find free ones, and say clearly when one is taken."""

import errno
import socket
from contextlib import ExitStack
from ipaddress import ip_address

from adapters.embedded.errors import PortTakenError

LOOPBACK = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Whether what binds this address is reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def free_port(host: str = LOOPBACK) -> int:
    """A port on which nobody listens now. Another process may take it before you do: retry with a new one."""
    return free_ports(1, host)[0]


def free_ports(count: int, host: str = LOOPBACK) -> list[int]:
    """`count` different free ports: all are held until the last is found, so none comes twice."""
    with ExitStack() as held:
        sockets = [held.enter_context(_bound(host, 0)) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in sockets]


def is_taken(port: int, host: str = LOOPBACK) -> bool:
    """Whether somebody listens on the port. Raises OSError when host or port are not for us to use."""
    try:
        _bound(host, port).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return True
        raise
    return False


def require_free(port: int, purpose: str, flag: str, host: str = LOOPBACK) -> None:
    """Raise PortTakenError when somebody listens on the port: a sentence before the start, not a log."""
    if is_taken(port, host):
        raise PortTakenError(port, purpose, flag, host)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        # As the servers do it: connections in TIME_WAIT do not keep a port, a listener does.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
