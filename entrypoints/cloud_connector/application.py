"""The application of this contract, on each of its mounts: routes, errors, tokens, browsers, and the devices' door."""

from entrypoints.cloud_connector import errors
from entrypoints.cloud_connector.door import Door, let_in
from entrypoints.cloud_connector.errors import Refusal, RefusedError, answer_to
from entrypoints.cloud_connector.exchange import ConnectorExchange
from entrypoints.cloud_connector.routes import ASKING, ROUTES, SOCKET, Route, find_routes
from entrypoints.contract_application import ContractApplication
from entrypoints.exchange import Answer, allow
from entrypoints.operations.pages import App, Receive, Scope, Send

PREFIX = "/connector"


class CloudConnector(ContractApplication[ConnectorExchange, Refusal]):
    """`devices` is the application behind the WebSocket."""

    def __init__(self, door: Door, devices: App) -> None:
        super().__init__(ConnectorExchange, errors)
        self._door = door
        self._devices = devices

    async def connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].rstrip("/") == SOCKET:
            await self._devices(scope, receive, send)
        else:
            await super().connect(scope, receive, send)

    async def serve(self, exchange: ConnectorExchange) -> Answer | None:
        routes = find_routes(exchange.scope["path"])
        if routes:
            exchange.scope["path_template"] = routes[0][0]
        origin = exchange.header(b"origin")
        exchange.always = self._door.origins.headers(origin)
        if exchange.method == "OPTIONS" and exchange.header(b"access-control-request-method") is not None:
            exchange.always = self._door.origins.preflight(origin)
            return Answer(b"", 204, type=b"")
        route = self._choose(exchange, routes)
        if route is None:
            return Answer(b"", 204, (allow(_allowed(routes)),), type=b"")
        await let_in(self._door, exchange)
        exchange.asks = exchange.scope["path_template"] in ASKING
        return await route(self._door, exchange)

    def told(self, refusal: Refusal, exchange: ConnectorExchange) -> Answer:
        return answer_to(refusal, asked=exchange.asks)

    def _choose(self, exchange: ConnectorExchange, routes: list[tuple[str, str]]) -> Route | None:
        """None for OPTIONS. Raises RefusedError for paths and methods that there are not."""
        if not routes:
            raise RefusedError(errors.NOT_FOUND)
        method = "GET" if exchange.method == "HEAD" else exchange.method
        for template, device in routes:
            if route := ROUTES[template].get(method):
                exchange.scope["path_template"] = template
                exchange.device = device
                return route
        if method == "OPTIONS":
            return None
        raise RefusedError(errors.method_not_allowed(_allowed(routes)))


def _allowed(routes: list[tuple[str, str]]) -> str:
    methods = {method for template, _ in routes for method in ROUTES[template]}
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods | {"OPTIONS"}))
