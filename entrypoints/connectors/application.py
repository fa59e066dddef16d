"""The application of this contract: routes, tokens and errors."""

import logging

from entrypoints.connectors import errors
from entrypoints.connectors.door import Door, claims_of
from entrypoints.connectors.errors import RefusedError
from entrypoints.connectors.exchange import API, SUBJECT, ConnectorExchange
from entrypoints.connectors.route import Route
from entrypoints.connectors.routes import ROUTES
from entrypoints.exchange import Answer, ClientGoneError
from entrypoints.operations.pages import Receive, Scope, Send
from entrypoints.paths import Found, Paths, segments_of

_OWN = f"{API}/"

logger = logging.getLogger("tidemark.http")


def is_own(path: str) -> bool:
    """Whether the path is ours where we stand beside other contracts."""
    return path.startswith(_OWN)


class ConnectorsContract:
    def __init__(self, door: Door) -> None:
        self._door = door
        self._paths = Paths(ROUTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})  # before it is accepted: 403
            return
        exchange = ConnectorExchange(scope, receive, send, self._door.public_url)
        found = self._paths.find(segments_of(scope["raw_path"]))
        if found is not None:
            scope["path_template"] = found.template
        try:
            answer = await self._serve(exchange, found)
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001  # the contract has an answer for whatever happens
            answer = _answer_to(error, exchange, found)
        await exchange.answer(answer)

    async def _serve(self, exchange: ConnectorExchange, found: Found | None) -> Answer:
        if found is None:
            return errors.answered(errors.NOT_FOUND)
        methods = ROUTES[found.template]
        route = methods.get(exchange.method)
        if route is None:
            return errors.method_not_allowed(list(methods))
        exchange.named = found.named
        await self._prepare(exchange, route)
        return await route.handler(self._door, exchange)

    async def _prepare(self, exchange: ConnectorExchange, route: Route) -> None:
        """Token, scope, body and subject, in the order of the contract (2.2)."""
        if route.scopes:
            exchange.claims = await claims_of(self._door, exchange.header(b"authorization"), route.scopes)
        if route.body:
            exchange.sent = await exchange.read_object()
        if route.subject:
            exchange.subject = exchange.header(SUBJECT) or ""
            if not exchange.subject:
                raise RefusedError(errors.MISSING_SUBJECT)


def _answer_to(error: Exception, exchange: ConnectorExchange, found: Found | None) -> Answer:
    route = ROUTES[found.template].get(exchange.method) if found is not None else None
    refusal = errors.refusal_of(error)
    if refusal is None:
        logger.error("%s %s failed", exchange.method, found.template if found else "", exc_info=error)
        refusal = errors.INTERNAL
    return (route.answered if route is not None else errors.answered)(refusal)
