"""The application of this contract: routes, tokens and errors."""

from entrypoints.analytics import errors
from entrypoints.analytics.door import Door, let_in
from entrypoints.analytics.exchange import AnalyticsExchange
from entrypoints.analytics.openapi import document
from entrypoints.analytics.route import Route
from entrypoints.analytics.routes import ROUTES
from entrypoints.contract_application import RoutedApplication
from entrypoints.exchange import Answer
from entrypoints.paths import Found, segments_of

PREFIX = "/analytics"


class AnalyticsContract(RoutedApplication[AnalyticsExchange, Route, Answer]):
    def __init__(self, door: Door) -> None:
        super().__init__(AnalyticsExchange, ROUTES, errors, prefix=PREFIX, document=document)
        self._door = door

    def search(self, raw_path: bytes) -> Found | None:
        # An empty path is the list of what there is.
        return self.paths.find(segments_of(raw_path) or [""])

    async def handle(self, route: Route, exchange: AnalyticsExchange) -> Answer | None:
        await let_in(self._door, exchange)
        return await route(self._door, exchange)
