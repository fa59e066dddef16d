"""The application of this contract, on each of its mounts: routes, errors, tokens, browsers, and the devices' door."""

import logging

from entrypoints.cloud_connector import errors
from entrypoints.cloud_connector.door import Door, let_in
from entrypoints.cloud_connector.errors import RefusedError, answer_to
from entrypoints.cloud_connector.exchange import ConnectorExchange
from entrypoints.cloud_connector.routes import ASKING, ROUTES, SOCKET, Handler, find_routes
from entrypoints.exchange import ClientGoneError
from entrypoints.operations.pages import App, Receive, Scope, Send

PREFIX = "/connector"

logger = logging.getLogger("tidemark.http")


class CloudConnector:
    """`devices` is the application behind the WebSocket."""

    def __init__(self, door: Door, devices: App) -> None:
        self._door = door
        self._devices = devices

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        else:
            await self._answer(scope, ConnectorExchange(scope, receive, send))

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].rstrip("/") == SOCKET:
            await self._devices(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close"})  # before it is accepted: 403

    async def _answer(self, scope: Scope, exchange: ConnectorExchange) -> None:
        routes = find_routes(scope["path"])
        if routes:
            scope["path_template"] = routes[0][0]
        origin = exchange.header(b"origin")
        exchange.always = self._door.origins.headers(origin)
        try:
            if exchange.method == "OPTIONS" and exchange.header(b"access-control-request-method") is not None:
                exchange.always = self._door.origins.preflight(origin)
                await exchange.begin(204, ())
                await exchange.end()
            else:
                await self._serve(scope, exchange, routes)
        except ClientGoneError:
            return
        except Exception as error:
            refusal = errors.refusal_of(error)
            if refusal is None:
                if exchange.has_begun:
                    raise
                logger.exception("%s %s failed", exchange.method, scope.get("path_template"))
                refusal = errors.INTERNAL
            await exchange.answer(answer_to(refusal, asked=exchange.asks))

    async def _serve(self, scope: Scope, exchange: ConnectorExchange, routes: list[tuple[str, str]]) -> None:
        handler = self._choose(scope, exchange, routes)
        if handler is None:
            await exchange.begin(204, ((b"allow", _allowed(routes).encode()),))
            await exchange.end()
            return
        await let_in(self._door, exchange)
        exchange.asks = scope["path_template"] in ASKING
        answer = await handler(self._door, exchange)
        if answer is not None:
            await exchange.answer(answer)

    def _choose(self, scope: Scope, exchange: ConnectorExchange, routes: list[tuple[str, str]]) -> Handler | None:
        """None for OPTIONS. Raises RefusedError for paths and methods that there are not."""
        if not routes:
            raise RefusedError(errors.NOT_FOUND)
        method = "GET" if exchange.method == "HEAD" else exchange.method
        for template, device in routes:
            if handler := ROUTES[template].get(method):
                scope["path_template"] = template
                exchange.device = device
                return handler
        if method == "OPTIONS":
            return None
        raise RefusedError(errors.method_not_allowed(_allowed(routes)))


def _allowed(routes: list[tuple[str, str]]) -> str:
    methods = {method for template, _ in routes for method in ROUTES[template]}
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods | {"OPTIONS"}))
