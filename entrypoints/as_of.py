"""`?as_of=`: whatever a contract reads, as it was at a moment (docs/audit.md)."""

from urllib.parse import unquote_plus

import msgspec

from entrypoints.operations.pages import App, Message, Receive, Scope, Send
from projections.as_of import reading_as_of
from projections.audit.moments import Moments

NAME = b"as_of"
HEADER = b"tidemark-as-of"

_NOT_HERE = msgspec.json.encode({"error": "as_of is not offered here"})


class AsOf:
    """Before a contract. Takes the parameter away, says in a header which position was read, and lets nobody believe
    that he saw the past where the contract never looked."""

    def __init__(self, app: App, moments: Moments) -> None:
        self._app = app
        self._moments = moments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if NAME not in scope.get("query_string", b"") or scope.get("method") not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        pairs = [pair.partition(b"=") for pair in scope["query_string"].split(b"&")]
        given = [value for name, _, value in pairs if name == NAME]
        if not given:
            await self._app(scope, receive, send)
            return
        scope["query_string"] = b"&".join(b"".join(pair) for pair in pairs if pair[0] != NAME)
        moment = self._moments.asked(unquote_plus(str(given[-1], "latin-1")))
        is_ours = False

        async def send_on(message: Message) -> None:
            nonlocal is_ours
            if message["type"] == "http.response.start":
                if moment.position is not None:
                    told = (HEADER, b"%d" % moment.position)
                    message["headers"] = [*message.get("headers", ()), told]
                elif message["status"] < 300:
                    is_ours = True
                    await _refuse(send)
            if not is_ours:
                await send(message)

        with reading_as_of(moment):
            await self._app(scope, receive, send_on)


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", b"%d" % len(_NOT_HERE))]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": _NOT_HERE})
