"""The application of this contract, on each of its mounts: routes, errors and tokens."""

import logging

from entrypoints.exchange import Answer, ClientGoneError
from entrypoints.metric_reporting import errors
from entrypoints.metric_reporting.door import Door, require_token
from entrypoints.metric_reporting.exchange import MetricExchange
from entrypoints.metric_reporting.routes import DEVELOPMENT, REPORT, ROUTES, SIGN_IN
from entrypoints.operations.pages import Receive, Scope, Send
from entrypoints.paths import Found, Paths, segments_of

PREFIX = "/mrd"

logger = logging.getLogger("tidemark.http")


def is_own(path: str) -> bool:
    """Whether the path is ours where we stand beside other contracts: those who report log in there too."""
    return path == SIGN_IN


class MetricReporting:
    def __init__(self, door: Door) -> None:
        self._door = door
        self._paths = Paths(template for template in ROUTES if door.development or template not in DEVELOPMENT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})  # before it is accepted: 403
            return
        exchange = MetricExchange(scope, receive, send)
        found = self._find(scope["raw_path"])
        if found is not None:
            scope["path_template"] = found.template
        try:
            answer = await self._serve(exchange, found)
        except ClientGoneError:
            return
        except Exception as error:
            if exchange.has_begun:
                raise
            known = errors.answer_to(error)
            if known is None:
                logger.exception("%s %s failed", exchange.method, scope.get("path_template"))
                known = errors.INTERNAL_OF_REPORT if found and found.template == REPORT else errors.INTERNAL
            answer = known
        if answer is not None:
            await exchange.answer(answer)

    def _find(self, raw_path: bytes) -> Found | None:
        """With the prefix that a proxy strips, and without: nothing of ours is called like it."""
        segments = segments_of(raw_path)
        found = self._paths.find(segments)
        if found is None and segments[:1] == [PREFIX[1:]]:
            found = self._paths.find(segments[1:])
        return found

    async def _serve(self, exchange: MetricExchange, found: Found | None) -> Answer | None:
        if found is None:
            return errors.PAGE_NOT_FOUND
        methods = ROUTES[found.template]
        route = methods.get(exchange.method)
        if route is None:
            return errors.method_not_allowed(list(methods))
        exchange.named = found.named
        if route.access == "token" or (route.access == "read" and self._door.read_auth == "token"):
            await require_token(self._door, exchange)
        return await route.handler(self._door, exchange)
