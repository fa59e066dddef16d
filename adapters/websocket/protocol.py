"""How the HTTP server speaks WebSocket with devices: uvicorn's protocol, with an end that is sure to come.

What uvicorn 0.54 leaves open: a peer that takes nothing more keeps its socket for ever, since closing waits until all
is sent; the application is not told why a silent peer was dropped; and at shutdown peers are told to come back
to a restarted service (1012), where the contract (2.1) says that this server goes away (1001).
"""

from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from adapters.websocket.links import GOING_AWAY, STOPPING

PING_SECONDS = 30.0
# Together with the interval: gone a minute after it was last heard, which is two pings without an answer.
PONG_SECONDS = 30.0
MOST_BYTES = 256 * 1024

ABORT = "tidemark.abort"
SILENT = "keepalive ping timeout"

# How long a closed socket may take to send what is left.
LINGER_SECONDS = 1.0

SETTINGS: dict[str, Any] = {
    "ws_max_size": MOST_BYTES,
    "ws_ping_interval": PING_SECONDS,
    "ws_ping_timeout": PONG_SECONDS,
    "ws_per_message_deflate": False,
}
"""For `uvicorn.Config`, beside `ws=DeviceProtocol`. Compression would cost each connection more memory than everything
else of it."""


class DeviceProtocol(WebSocketsSansIOProtocol):
    """Applications find `tidemark.abort` among their scope's extensions, with a function `abort` that cuts the device
    off."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][ABORT] = {"abort": self.transport.abort}

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            # Who was refused with an answer of ours has been answered; uvicorn would report a fault of the application.
            self.handshake_complete = True
        elif message["type"] == "websocket.accept":
            # Nobody reads the headers again, and thousands of connections would keep theirs.
            self.request.headers.clear()
            self.response.headers.clear()

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        self._end()

    def handle_parser_exception(self) -> None:
        super().handle_parser_exception()
        self._end()

    def keepalive_timeout(self) -> None:
        if not (self.close_sent or self.transport.is_closing()):
            self.queue.put_nowait({"type": "websocket.disconnect", "code": 1011, "reason": SILENT})
        super().keepalive_timeout()
        self._end()

    def shutdown(self) -> None:
        if self.handshake_complete and not self.close_sent and not self.transport.is_closing():
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": GOING_AWAY, "reason": STOPPING})
            self.conn.send_close(GOING_AWAY, STOPPING)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.transport.close()
        else:
            super().shutdown()
        self._end()

    def _end(self) -> None:
        """Closing waits until everything is sent; this does not wait for ever."""
        if self.transport.is_closing():
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)
