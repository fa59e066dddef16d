import socket

import pytest

from adapters.embedded.errors import PortTakenError
from adapters.embedded.ports import free_port, free_ports, is_taken, require_free


def test_free_ports_are_free_and_different() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert not any(is_taken(port) for port in ports)


def test_a_port_with_a_listener_is_taken_until_it_closes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortTakenError) as refusal:
            require_free(port, "the API", "--http-port")
    assert str(refusal.value) == (
        f"Port {port} on 127.0.0.1 is taken, and the API needs it: "
        "stop what listens there, or choose another port with --http-port."
    )
    require_free(port, "the API", "--http-port")


def test_a_listener_on_every_address_takes_the_port_on_loopback_too() -> None:
    with socket.create_server(("", 0)) as listener:
        assert is_taken(listener.getsockname()[1])


def test_a_host_that_is_not_ours_is_an_error_and_no_taken_port() -> None:
    with pytest.raises(OSError, match="assign"):
        is_taken(free_port(), "192.0.2.1")
