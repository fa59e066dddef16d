"""The application of this contract, on each of its ports: routes, tokens and errors (contract streams 1.1)."""

import logging
from urllib.parse import unquote_to_bytes

from entrypoints.exchange import Answer, ClientGoneError
from entrypoints.operations.pages import Receive, Scope, Send
from entrypoints.paths import Found, Paths
from entrypoints.streams import errors
from entrypoints.streams.door import Door, let_in
from entrypoints.streams.exchange import StreamsExchange
from entrypoints.streams.route import Routes
from entrypoints.streams.routes import MESSAGES

PREFIX = "/streams"

REMEMBERED_PATHS = 10_000

logger = logging.getLogger("tidemark.http")


class StreamsContract:
    def __init__(self, door: Door, routes: Routes) -> None:
        self._door = door
        self._routes = routes
        self._paths = Paths(routes)
        self._known: dict[bytes, Found] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})  # before it is accepted: 403
            return
        exchange = StreamsExchange(scope, receive, send)
        found = self._find(scope["raw_path"])
        if found is not None:
            scope["path_template"] = found.template
        try:
            answer = await self._serve(exchange, found)
        except ClientGoneError:
            return
        except Exception as error:
            if exchange.has_begun:
                raise
            known = errors.answer_to(error)
            if known is None:
                logger.exception("%s %s failed", exchange.method, scope.get("path_template"))
                known = errors.INTERNAL
            answer = known
        if answer is not None:
            await exchange.answer(answer)

    def _find(self, raw_path: bytes) -> Found | None:
        """Paths are few and asked for again and again."""
        found = self._known.get(raw_path)
        if found is None:
            found = self._search(raw_path.split(b"/")[1:])
            if found is not None and len(self._known) < REMEMBERED_PATHS:
                self._known[raw_path] = found
        return found

    def _search(self, segments: list[bytes]) -> Found | None:
        """As it was sent. An empty name is one only where the contract has a word for it."""
        decoded = [unquote_to_bytes(segment) for segment in segments]
        if any(b"/" in segment for segment in decoded):
            return None  # an encoded slash is none that divides
        found = self._paths.find([segment.decode(errors="replace") for segment in decoded])
        if found is not None and found.template != MESSAGES and "" in found.named.values():
            return None
        return found

    async def _serve(self, exchange: StreamsExchange, found: Found | None) -> Answer | None:
        if exchange.scope.get("http_version") == "1.1" and exchange.header(b"host") is None:
            return errors.NO_HOST
        if found is None:
            return self._redirect(exchange) or errors.NOT_FOUND
        methods = self._routes[found.template]
        route = methods.get(exchange.method)
        if route is None:
            allowed = ", ".join(sorted({*methods, "OPTIONS"}))
            if exchange.method == "OPTIONS":
                return Answer(b"", headers=((b"allow", allowed.encode()),), type=b"")
            return errors.method_not_allowed(allowed)
        exchange.named = found.named
        if not route.open:
            await let_in(self._door, exchange)
        return await route.handler(self._door, exchange)

    def _redirect(self, exchange: StreamsExchange) -> Answer | None:
        """To the same path without slashes too many, if there is something."""
        sent = exchange.scope["raw_path"].split(b"/")[1:]
        clean = [segment for segment in sent if segment]
        if clean == sent or self._search(clean) is None:
            return None
        location = exchange.scope.get("root_path", "").encode() + b"/" + b"/".join(clean)
        if query := exchange.scope["query_string"]:
            location += b"?" + query
        return Answer(b"", 301 if exchange.method == "GET" else 307, ((b"location", location),), type=b"")
