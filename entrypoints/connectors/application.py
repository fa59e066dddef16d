"""The application of this contract: routes, tokens and errors."""

from functools import partial

from entrypoints.connectors import errors
from entrypoints.connectors.door import Door, claims_of
from entrypoints.connectors.errors import Refusal, RefusedError
from entrypoints.connectors.exchange import API, SUBJECT, ConnectorExchange
from entrypoints.connectors.route import Route
from entrypoints.connectors.routes import ROUTES
from entrypoints.contract_application import RoutedApplication
from entrypoints.exchange import Answer

_OWN = f"{API}/"


def is_own(path: str) -> bool:
    """Whether the path is ours where we stand beside other contracts."""
    return path.startswith(_OWN)


class ConnectorsContract(RoutedApplication[ConnectorExchange, Route, Refusal]):
    def __init__(self, door: Door) -> None:
        super().__init__(partial(ConnectorExchange, public_url=door.public_url), ROUTES, errors)
        self._door = door

    async def handle(self, route: Route, exchange: ConnectorExchange) -> Answer | None:
        """Token, scope, body and subject, in the order of the contract (2.2)."""
        if route.scopes:
            exchange.claims = await claims_of(self._door, exchange.header(b"authorization"), route.scopes)
        if route.body:
            exchange.sent = await exchange.read_object()
        if route.subject:
            exchange.subject = exchange.header(SUBJECT) or ""
            if not exchange.subject:
                raise RefusedError(errors.MISSING_SUBJECT)
        return await route.handler(self._door, exchange)

    def told(self, refusal: Refusal, exchange: ConnectorExchange) -> Answer:
        """As the route tells it; services are told in another form."""
        route = ROUTES.get(exchange.scope.get("path_template", ""), {}).get(exchange.method)
        return (errors.answered if route is None else route.answered)(refusal)
