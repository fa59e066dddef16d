"""A wire contract as an application on bare ASGI: from a request to an answer, and from what goes wrong to what the
contract says of it (ADR 16).

A new contract is a package beside the others:

- `door.py`: what stands behind its routes, and who is let in (`Bearers.claims_for` where a scope is needed);
- `exchange.py`: one request, with what this contract reads from it (an `Exchange` as it is may do);
- `errors.py`: its ErrorTable;
- `routes`: functions of door and exchange, and the table of them by path and method;
- `openapi.py`: its document, if it has one, of the pieces in `entrypoints/openapi.py`;
- `application.py`, as short as that of the audit: a RoutedApplication, which is given the exchange, the routes, the
  module `errors` and whatever of `prefix` and `document` there is, with a method `handle` that lets in and calls.

`listeners.py` gives it its place, `pyproject.toml` its independence of the other contracts. A contract that differs
writes over that one method in which it does.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from entrypoints.exchange import Answer, ClientGoneError, Exchange
from entrypoints.operations.pages import Receive, Scope, Send
from entrypoints.paths import Found, Paths, segments_of

E = TypeVar("E", bound=Exchange)
"""The contract's exchange."""
D = TypeVar("D")
"""Its door."""
R = TypeVar("R")
"""What its table of routes has for a path and a method: a Handler, or one with what has to be known before."""
F = TypeVar("F")
"""What its table of errors has for what goes wrong: an Answer, or what one is made of."""

Handler = Callable[[D, E], Awaitable[Answer | None]]
"""None: it has answered by itself."""

Routes = Mapping[str, Mapping[str, R]]
"""By path and method."""

Document = Callable[[], Mapping[str, Any]]

DOCUMENT = "/openapi.json"
READING = ("GET", "HEAD")

logger = logging.getLogger("tidemark.http")


class ErrorTable(Protocol[F]):
    """A contract's own words for what goes wrong: its module `errors`."""

    NOT_FOUND: F
    INTERNAL: F

    def method_not_allowed(self, allowed: str, /) -> F: ...

    def refusal_of(self, error: Exception, /) -> F | None:
        """None for what nobody expected."""


def of_kind(error: Exception, table: Mapping[type[BaseException], F]) -> F | None:
    """What the table has for the error's class, or for the nearest above it."""
    return next((table[kind] for kind in type(error).__mro__ if kind in table), None)


class ContractApplication(ABC, Generic[E, F]):
    """Makes an exchange of each request and answers it, also where that fails."""

    def __init__(self, exchange: Callable[[Scope, Receive, Send], E], errors: ErrorTable[F]) -> None:
        self._exchange = exchange
        self._errors = errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.connect(scope, receive, send)
            return
        exchange = self._exchange(scope, receive, send)
        try:
            answer = await self.serve(exchange)
        except ClientGoneError:
            return
        except Exception as error:
            if exchange.has_begun:
                raise
            refusal = self._errors.refusal_of(error)
            if refusal is None:
                logger.exception("%s %s failed", exchange.method, scope.get("path_template"))
                refusal = self._errors.INTERNAL
            answer = self.told(refusal, exchange)
        if answer is not None:
            await exchange.answer(answer)

    @abstractmethod
    async def serve(self, exchange: E) -> Answer | None:
        """None when it has been answered already. Whatever it raises goes to the table of errors."""

    async def connect(self, _: Scope, receive: Receive, send: Send) -> None:
        """A WebSocket, which is none of this contract's."""
        await receive()
        await send({"type": "websocket.close"})  # before it is accepted: 403

    def told(self, refusal: F, _: E) -> Answer:
        """What the table of errors has, as this request is told it."""
        assert isinstance(refusal, Answer)
        return refusal


class RoutedApplication(ContractApplication[E, F], Generic[E, R, F]):
    """Finds the route by path and method. `prefix` stands before the paths where requests are measured and logged;
    `document` is the contract's OpenAPI document, which everybody may read."""

    def __init__(
        self,
        exchange: Callable[[Scope, Receive, Send], E],
        routes: Routes[R],
        errors: ErrorTable[F],
        *,
        prefix: str = "",
        document: Document | None = None,
    ) -> None:
        super().__init__(exchange, errors)
        self.paths = Paths(routes if document is None else (*routes, DOCUMENT))
        self._routes = routes
        self._prefix = prefix
        self._document = document

    @abstractmethod
    async def handle(self, route: R, exchange: E) -> Answer | None:
        """Lets in whoever may do this, and does it."""

    async def serve(self, exchange: E) -> Answer | None:
        found = self.find(exchange)
        if found is None:
            return self.nothing_here(exchange)
        if found.template == DOCUMENT and self._document is not None:
            return self.show_document(exchange, self._document)
        methods = self._routes[found.template]
        route = methods.get(exchange.method)
        if route is None:
            return self.not_allowed(exchange, methods)
        exchange.named = found.named
        return await self.handle(route, exchange)

    def find(self, exchange: E) -> Found | None:
        """What is at the path; the scope says it to whoever measures the request."""
        found = self.search(exchange.scope["raw_path"])
        if found is not None:
            exchange.scope["path_template"] = self._prefix + found.template
        return found

    def search(self, raw_path: bytes) -> Found | None:
        return self.paths.find(segments_of(raw_path))

    def nothing_here(self, exchange: E) -> Answer:
        return self.told(self._errors.NOT_FOUND, exchange)

    def not_allowed(self, exchange: E, methods: Iterable[str]) -> Answer:
        return self.told(self._errors.method_not_allowed(", ".join(sorted(methods))), exchange)

    def show_document(self, exchange: E, document: Document) -> Answer:
        if exchange.method not in READING:
            return self.not_allowed(exchange, READING)
        return Answer(msgspec.json.encode(document()))
