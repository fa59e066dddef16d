"""The listeners that there are, and their sockets."""

import errno
import socket
from collections.abc import Mapping
from typing import NamedTuple

from adapters.embedded.errors import PortTakenError

BACKLOG = 2048


class Listener(NamedTuple):
    """`name` is the key in the ready file, `setting` the field of Settings with its port."""

    name: str
    setting: str
    port: int
    purpose: str

    @property
    def flag(self) -> str:
        return f"--{self.setting.replace('_', '-')}"


API = Listener("api", "http_port", 8080, "the main API")
CONNECTOR = Listener("connector", "connector_port", 9090, "the cloud connector")
METRICS = Listener("metrics", "metrics_port", 3000, "metric reporting")
DISCOVERY = Listener("discovery", "discovery_port", 9250, "the streams' discovery")
PRODUCER = Listener("producer", "producer_port", 9251, "the streams' producer")
CONSUMER = Listener("consumer", "consumer_port", 9252, "the streams' consumer")
LISTENERS = (
    API,
    CONNECTOR,
    METRICS,
    DISCOVERY,
    PRODUCER,
    CONSUMER,
)
WORKER = Listener("worker", "worker_port", 0, "the worker's health and metrics")


def listening_socket(host: str, port: int, purpose: str, flag: str) -> socket.socket:
    """A bound socket, on a free port for 0. Raises PortTakenError, or OSError for an address that is not ours."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(port, purpose, flag, host) from None
        raise
    made.setblocking(False)
    return made


def handed_down(numbers: Mapping[str, int], name: str) -> socket.socket | None:
    """The socket that the parent process opened for this listener, if it did."""
    return socket.socket(fileno=numbers[name]) if name in numbers else None
