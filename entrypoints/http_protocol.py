"""HTTP as uvicorn speaks it, with the connection at hand for those who have to know what went over it."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from entrypoints.operations.pages import Scope

_EXTENSION = "tidemark.connection"


class HttpProtocol(HttpToolsProtocol):
    """Requests come with their connection (an extension in the sense of ASGI)."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_EXTENSION: self.transport}  # type: ignore[dict-item]  # of our own


def connection_of(scope: Scope) -> asyncio.Transport:
    connection: asyncio.Transport = scope["extensions"][_EXTENSION]
    return connection
