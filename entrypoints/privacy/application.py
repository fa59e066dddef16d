"""The application of this contract: routes, tokens and errors."""

from entrypoints.contract_application import Handler, RoutedApplication
from entrypoints.exchange import Answer
from entrypoints.privacy import errors
from entrypoints.privacy.door import Door, let_in
from entrypoints.privacy.exchange import PrivacyExchange
from entrypoints.privacy.openapi import document
from entrypoints.privacy.routes import ROUTES

PREFIX = "/privacy"


class Privacy(RoutedApplication[PrivacyExchange, Handler[Door, PrivacyExchange], Answer]):
    def __init__(self, door: Door) -> None:
        super().__init__(PrivacyExchange, ROUTES, errors, prefix=PREFIX, document=document)
        self._door = door

    async def handle(self, route: Handler[Door, PrivacyExchange], exchange: PrivacyExchange) -> Answer | None:
        exchange.claims = await let_in(self._door, exchange)
        return await route(self._door, exchange)
