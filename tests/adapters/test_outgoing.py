"""Requests to addresses that others have told us."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from adapters.outgoing import ForbiddenAddressError, Outgoing, UnreachableError
from tests.conformance.connectors.elsewhere import Elsewhere, Reply, Request

LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1/128")]


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere().running() as running:
        running.serve = lambda _: Reply(200, {"a": 1}, {"X-Told": "yes"})
        yield running


@pytest.fixture
async def outgoing() -> AsyncIterator[Outgoing]:
    async with Outgoing(LOOPBACK) as outgoing:
        yield outgoing


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """From now on every name leads to these addresses; the names that were asked for."""
    asked: list[str] = []

    async def resolved(_: Any, host: str, port: int, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolved)
    return asked


async def test_what_is_sent_comes_there_and_what_is_answered_comes_back(
    outgoing: Outgoing, elsewhere: Elsewhere
) -> None:
    answer = await outgoing.send("PUT", f"{elsewhere.url}/x?y=1", headers={"X-Key": "k"}, body=b"[5]")
    assert (answer.status, answer.headers["x-told"], answer.body) == (200, "yes", b'{"a": 1}')
    [request] = elsewhere.requests
    assert (request.method, request.path, request.headers["x-key"], request.body) == ("PUT", "/x?y=1", "k", [5])
    assert request.headers["host"] == elsewhere.url.removeprefix("http://")


async def test_a_name_is_resolved_once_and_connected_to_where_it_was_checked(
    outgoing: Outgoing, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolving(monkeypatch, "127.0.0.1")
    port = elsewhere.url.rpartition(":")[2]
    assert (await outgoing.send("GET", f"http://somewhere.example:{port}/")).status == 200
    assert asked == ["somewhere.example"]
    assert elsewhere.requests[0].headers["host"] == f"somewhere.example:{port}"


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "93.184.215.14"])
async def test_what_lies_in_no_allowed_network_is_not_reached(
    outgoing: Outgoing, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    with pytest.raises(ForbiddenAddressError):
        await outgoing.send("GET", f"http://{address}/")
    resolving(monkeypatch, address)
    with pytest.raises(ForbiddenAddressError, match=r"^innocent\.example is in no network"):
        await outgoing.send("GET", "http://innocent.example/")
    with pytest.raises(ForbiddenAddressError):
        await outgoing.resolve("innocent.example", 1883)


@pytest.mark.parametrize("address", ["::ffff:10.0.0.1", "fe80::1%eth0", "::"])
async def test_nor_is_it_in_another_spelling(outgoing: Outgoing, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    resolving(monkeypatch, address)
    with pytest.raises(ForbiddenAddressError):
        await outgoing.resolve("innocent.example", 80)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://a:b@127.0.0.1/", "http://", "x", "http://[::1"]
)
async def test_what_is_no_address_of_http_is_not_reached(outgoing: Outgoing, url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        await outgoing.send("GET", url)


async def test_a_redirect_is_followed_only_when_asked_to_and_checked_again(
    outgoing: Outgoing, elsewhere: Elsewhere
) -> None:
    def serve(request: Request) -> Reply:
        return Reply(302, None, {"Location": "/there"}) if request.path == "/here" else Reply(200, {"there": True})

    elsewhere.serve = serve
    assert (await outgoing.send("GET", f"{elsewhere.url}/here")).status == 302
    answer = await outgoing.send("GET", f"{elsewhere.url}/here", headers={"X-Key": "k"}, redirects=1)
    assert answer.body == b'{"there": true}'
    assert elsewhere.requests[-1].headers["x-key"] == "k"
    elsewhere.serve = lambda _: Reply(302, None, {"Location": "http://169.254.169.254/"})
    with pytest.raises(ForbiddenAddressError):
        await outgoing.send("GET", elsewhere.url, redirects=5)


async def test_what_lets_us_in_is_told_to_nobody_else(outgoing: Outgoing, elsewhere: Elsewhere) -> None:
    with Elsewhere().running() as other:
        elsewhere.serve = lambda _: Reply(307, None, {"Location": other.url})
        await outgoing.send("GET", elsewhere.url, headers={"Authorization": "Bearer x"}, redirects=1)
        assert "authorization" not in other.requests[0].headers


async def test_more_than_is_taken_and_what_takes_too_long_is_given_up(outgoing: Outgoing, elsewhere: Elsewhere) -> None:
    elsewhere.serve = lambda _: Reply(200, "x" * 1000)
    with pytest.raises(UnreachableError, match="more than 100 bytes"):
        await outgoing.send("GET", elsewhere.url, largest=100)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UnreachableError, match="did not answer"):
        await outgoing.send("GET", f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout=0.1)


async def test_where_nobody_listens_and_what_has_no_address_is_unreachable(outgoing: Outgoing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(UnreachableError):
        await outgoing.send("GET", f"http://127.0.0.1:{port}/?secret=x")
    with pytest.raises(UnreachableError):
        await outgoing.resolve("no-such-name.invalid", 80)


async def test_a_complaint_holds_nothing_of_the_query(outgoing: Outgoing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(UnreachableError) as complaint:
        await outgoing.send("GET", f"http://127.0.0.1:{port}/path?secret=x")
    assert "secret" not in str(complaint.value)
