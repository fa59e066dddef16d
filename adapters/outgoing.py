"""Requests to addresses that others have told us: they go to the allowed networks only, whatever a name resolves to
(design 5; contract connectors, part 5)."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

import httpx

Network = IPv4Network | IPv6Network

LARGEST_ANSWER: Final = 1024 * 1024
_PORTS: Final = {"http": 80, "https": 443}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class ForbiddenAddressError(Exception):
    """It lies in no network that may be reached, or is no address of HTTP at all. Nothing was sent."""


class UnreachableError(Exception):
    """Nobody answers there, not in time, or more than is taken."""


class OutgoingAnswer(NamedTuple):
    """The names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Outgoing:
    """Use as a context manager, or close with `close()`.

    A name is resolved here, and the connection is made to the address that was checked, so that a name that resolves
    differently the next time leads nowhere else. No connection is used twice: two names may lie at one address.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._clients: dict[bool, httpx.AsyncClient] = {}

    async def __aenter__(self) -> "Outgoing":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float = 10.0,
        largest: int = LARGEST_ANSWER,
        verify_tls: bool = True,
        redirects: int = 0,
    ) -> OutgoingAnswer:
        """What is answered within `timeout` seconds in all, at most `largest` bytes. So many redirects are followed,
        each checked like the first address. Raises ForbiddenAddressError and UnreachableError."""
        try:
            async with asyncio.timeout(timeout):
                sent = headers or {}
                answer = await self._send(method, url, sent, body, largest, verify_tls)
                while answer.status in _REDIRECTS and redirects > 0 and "location" in answer.headers:
                    redirects -= 1
                    there = urljoin(url, answer.headers["location"])
                    if _named(there) != _named(url):
                        sent = {}  # what lets us in here is nobody else's business
                    url = there
                    answer = await self._send(method, url, sent, body, largest, verify_tls)
                return answer
        except TimeoutError:
            raise UnreachableError(f"{_named(url)} did not answer in {timeout:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(f"{_named(url)} cannot be reached ({type(error).__name__})") from error

    async def resolve(self, host: str, port: int) -> str:
        """The address that may be connected to. Raises ForbiddenAddressError and UnreachableError."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise UnreachableError(f"{host} cannot be found") from error
        for *_, address in found:
            if self._is_allowed(str(address[0])):
                return str(address[0])
        raise ForbiddenAddressError(f"{host} is in no network that connectors may reach")

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, largest: int, verify_tls: bool
    ) -> OutgoingAnswer:
        try:
            parts = urlsplit(url)
            scheme, host, port = parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            raise ForbiddenAddressError("that is no URL") from None
        if scheme not in _PORTS or not host or "@" in parts.netloc:
            raise ForbiddenAddressError("only addresses that begin with http:// or https:// are reached")
        address = await self.resolve(host, port)
        there = httpx.URL(url).copy_with(host=address, port=port)
        request = self._client(verify_tls).build_request(
            method, there, headers={**headers, "Host": parts.netloc}, content=body, extensions={"sni_hostname": host}
        )
        answer = await self._client(verify_tls).send(request, stream=True)
        try:
            return OutgoingAnswer(answer.status_code, dict(answer.headers), await _read(answer, largest))
        finally:
            await answer.aclose()

    def _client(self, verify_tls: bool) -> httpx.AsyncClient:
        known = self._clients.get(verify_tls)
        if known is None:
            known = self._clients[verify_tls] = httpx.AsyncClient(
                verify=verify_tls,
                trust_env=False,
                follow_redirects=False,
                timeout=None,
                limits=httpx.Limits(max_keepalive_connections=0),
            )
        return known

    def _is_allowed(self, text: str) -> bool:
        address = ip_address(text.partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks if network.version == address.version)


async def _read(answer: httpx.Response, largest: int) -> bytes:
    parts, size = [], 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > largest:
            raise UnreachableError(f"it answers more than {largest} bytes")
        parts.append(part)
    return b"".join(parts)


def _named(url: str) -> str:
    """Where, without what a query may hold."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS.get(parts.scheme, 0)}"
    except ValueError:
        return "the address"
