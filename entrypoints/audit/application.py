"""The application of the audit: routes, tokens and errors."""

from entrypoints.audit import errors
from entrypoints.audit.door import Door, let_in
from entrypoints.audit.exchange import AuditExchange
from entrypoints.audit.openapi import document
from entrypoints.audit.route import Route
from entrypoints.audit.routes import ROUTES
from entrypoints.contract_application import RoutedApplication
from entrypoints.exchange import Answer

PREFIX = "/audit"


class Audit(RoutedApplication[AuditExchange, Route, Answer]):
    def __init__(self, door: Door) -> None:
        super().__init__(AuditExchange, ROUTES, errors, prefix=PREFIX, document=document)
        self._door = door

    async def handle(self, route: Route, exchange: AuditExchange) -> Answer | None:
        await let_in(self._door, exchange)
        exchange.read_query(route.parameters)
        return await route.handler(self._door, exchange)
