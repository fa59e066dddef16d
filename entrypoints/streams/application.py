"""The application of this contract, on each of its ports: routes, tokens and errors (contract streams 1.1)."""

from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from entrypoints.contract_application import RoutedApplication, Routes
from entrypoints.exchange import Answer, allow
from entrypoints.paths import Found
from entrypoints.streams import errors
from entrypoints.streams.door import Door, let_in
from entrypoints.streams.exchange import StreamsExchange
from entrypoints.streams.route import Route
from entrypoints.streams.routes import MESSAGES

PREFIX = "/streams"

REMEMBERED_PATHS = 10_000


class StreamsContract(RoutedApplication[StreamsExchange, Route, Answer]):
    def __init__(self, door: Door, routes: Routes[Route]) -> None:
        super().__init__(StreamsExchange, routes, errors)
        self._door = door
        self._known: dict[bytes, Found] = {}

    async def serve(self, exchange: StreamsExchange) -> Answer | None:
        if exchange.scope.get("http_version") == "1.1" and exchange.header(b"host") is None:
            self.find(exchange)  # for whoever measures it
            return errors.NO_HOST
        return await super().serve(exchange)

    async def handle(self, route: Route, exchange: StreamsExchange) -> Answer | None:
        if not route.open:
            await let_in(self._door, exchange)
        return await route.handler(self._door, exchange)

    def search(self, raw_path: bytes) -> Found | None:
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
        found = self.paths.find([segment.decode(errors="replace") for segment in decoded])
        if found is not None and found.template != MESSAGES and "" in found.named.values():
            return None
        return found

    def nothing_here(self, exchange: StreamsExchange) -> Answer:
        """To the same path without slashes too many, if there is something."""
        sent = exchange.scope["raw_path"].split(b"/")[1:]
        clean = [segment for segment in sent if segment]
        if clean == sent or self._search(clean) is None:
            return errors.NOT_FOUND
        location = exchange.scope.get("root_path", "").encode() + b"/" + b"/".join(clean)
        if query := exchange.scope["query_string"]:
            location += b"?" + query
        return Answer(b"", 301 if exchange.method == "GET" else 307, ((b"location", location),), type=b"")

    def not_allowed(self, exchange: StreamsExchange, methods: Iterable[str]) -> Answer:
        allowed = ", ".join(sorted({*methods, "OPTIONS"}))
        if exchange.method == "OPTIONS":
            return Answer(b"", headers=(allow(allowed),), type=b"")
        return errors.method_not_allowed(allowed)
