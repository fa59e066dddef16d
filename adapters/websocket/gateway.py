"""The devices' door: the ASGI application of `GET /connect` (contract 2.1)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec

from adapters.websocket.greeting import Greeting, Headers, MalformedGreetingError, greeting, read_headers
from adapters.websocket.links import REPLACED, STOPPING, Links, OpenLink, TooManyLinksError
from adapters.websocket.protocol import ABORT, SILENT
from adapters.websocket.record import PASSING, LinkRecord

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

Admits = Callable[[Headers, str], Awaitable[bool]]
"""Whether a device with these headers (by lower-case name) may connect under this id."""

# A device that says very much takes turns with the others after so many messages.
TURN = 64

log = logging.getLogger("tidemark.websocket")


class Closer(Protocol):
    """Ends connections, whichever process holds them."""

    async def close(self, holder: str, connection_id: UUID, code: int, reason: str) -> None: ...


class WebSocketGateway:
    """For WebSocket scopes only. `allows_origin` is asked about browsers' pages of other hosts than ours."""

    def __init__(
        self,
        links: Links,
        record: LinkRecord,
        line: Closer,
        admits: Admits,
        allows_origin: Callable[[str], bool],
    ) -> None:
        self._links = links
        self._record = record
        self._line = line
        self._admits = admits
        self._allows_origin = allows_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        link = await self._greet(scope, send)
        if link is not None:
            try:
                await self._hold(link, receive, send)
            finally:
                self._links.remove(link)

    async def _greet(self, scope: Scope, send: Send) -> OpenLink | None:
        """The link of a device that may connect, entered; None after a refusal."""
        headers = read_headers(scope["headers"])
        if (origin := headers.get("origin")) and not self._may_come_from(origin, headers):
            await _refuse(send, 403, "This origin is not allowed.")
            return None
        try:
            link = _link(greeting(headers), scope, send)
            if not await self._admits(headers, link.device):
                await _refuse(send, 401, "Not authorized.")
                return None
            self._links.enter(link)
        except MalformedGreetingError as malformed:
            await _refuse(send, 400, str(malformed))
            return None
        except TooManyLinksError:
            await _refuse(send, 503, "Too many devices are connected; please try again later.")
            return None
        return link

    async def _hold(self, link: OpenLink, receive: Receive, send: Send) -> None:
        try:
            recorded = await self._record.open(link)
        except PASSING as unavailable:
            log.warning("a device cannot connect (%s)", unavailable)
            await _refuse(send, 503, "Connections cannot be recorded at the moment; please try again.")
            return
        reason = STOPPING  # what a cancelled task knows
        try:
            for old in recorded.replaced:
                await self._line.close(old.holder, old.connection_id, REPLACED, old.reason)
            await send({"type": "websocket.accept"})
            self._links.open(link, recorded.device_id, recorded.position)
            if link.ending is not None:
                await link.close(*link.ending)
            reason = await self._listen(link, receive)
        except OSError:
            reason = "left before it was connected"
        finally:
            self._record.close(link.device, recorded.device_id, link.connection_id, reason)

    async def _listen(self, link: OpenLink, receive: Receive) -> str:
        """Until the connection ends. Why it did."""
        heard = 0
        while (message := await receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            link.hear(text if text is not None else message["bytes"])
            heard += 1
            if heard % TURN == 0:
                await asyncio.sleep(0)
        return link.ending[1] if link.ending else _reason(message)

    def _may_come_from(self, origin: str, headers: Headers) -> bool:
        # Clients that are no browsers like to send the host that they connect to.
        return urlsplit(origin).netloc == headers.get("host") or self._allows_origin(origin)


def _link(greeted: Greeting, scope: Scope, send: Send) -> OpenLink:
    client = scope.get("client")
    return OpenLink(
        device=greeted.device,
        connection_id=uuid4(),
        name=greeted.name,
        type=greeted.type,
        user_agent=greeted.user_agent,
        remote_address=f"{client[0]}:{client[1]}" if client else "",
        payload_mode=greeted.payload_mode,
        send=send,
        abort=scope.get("extensions", {}).get(ABORT, {}).get("abort", lambda: None),
    )


def _reason(disconnected: dict[str, Any]) -> str:
    code, said = disconnected.get("code", 1005), disconnected.get("reason")
    if said is None:
        return "connection lost"
    return _REASONS.get((code, said)) or _REASONS.get((code, None)) or "closed by the device"


_REASONS: dict[tuple[int, str | None], str] = {
    (1001, STOPPING): STOPPING,
    (1002, None): "protocol error",
    (1007, None): "message is not UTF-8",
    (1009, None): "message too large",
    (1011, SILENT): "silent",
}


async def _refuse(send: Send, status: int, error: str) -> None:
    """Before the upgrade. A device that is gone already needs no answer."""
    body = msgspec.json.encode({"error": error})
    try:
        await send(
            {
                "type": "websocket.http.response.start",
                "status": status,
                "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
            }
        )
        await send({"type": "websocket.http.response.body", "body": body})
    except OSError:
        return
