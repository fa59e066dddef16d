"""The application of this contract, on each of its mounts: routes, errors and tokens."""

from entrypoints.contract_application import RoutedApplication
from entrypoints.exchange import Answer
from entrypoints.metric_reporting import errors
from entrypoints.metric_reporting.door import Door, require_token
from entrypoints.metric_reporting.exchange import MetricExchange
from entrypoints.metric_reporting.routes import DEVELOPMENT, REPORT, ROUTES, SIGN_IN, Route
from entrypoints.paths import Found, segments_of

PREFIX = "/mrd"


def is_own(path: str) -> bool:
    """Whether the path is ours where we stand beside other contracts: those who report log in there too."""
    return path == SIGN_IN


class MetricReporting(RoutedApplication[MetricExchange, Route, Answer]):
    def __init__(self, door: Door) -> None:
        routes = {path: ROUTES[path] for path in ROUTES if door.development or path not in DEVELOPMENT}
        super().__init__(MetricExchange, routes, errors)
        self._door = door

    def search(self, raw_path: bytes) -> Found | None:
        """With the prefix that a proxy strips, and without: nothing of ours is called like it."""
        segments = segments_of(raw_path)
        found = self.paths.find(segments)
        if found is None and segments[:1] == [PREFIX[1:]]:
            found = self.paths.find(segments[1:])
        return found

    async def handle(self, route: Route, exchange: MetricExchange) -> Answer | None:
        if route.access == "token" or (route.access == "read" and self._door.read_auth == "token"):
            await require_token(self._door, exchange)
        return await route.handler(self._door, exchange)

    def told(self, refusal: Answer, exchange: MetricExchange) -> Answer:
        if refusal is errors.INTERNAL and exchange.scope.get("path_template") == REPORT:
            return errors.INTERNAL_OF_REPORT
        return refusal
