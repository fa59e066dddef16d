"""The application of this contract: routes, tokens and errors."""

import logging

import msgspec

from entrypoints.analytics import errors
from entrypoints.analytics.door import Door, let_in
from entrypoints.analytics.exchange import AnalyticsExchange
from entrypoints.analytics.openapi import document
from entrypoints.analytics.routes import ROUTES
from entrypoints.exchange import Answer, ClientGoneError
from entrypoints.operations.pages import Receive, Scope, Send
from entrypoints.paths import Paths, segments_of

PREFIX = "/analytics"
DOCUMENT = "/openapi.json"

logger = logging.getLogger("tidemark.http")


class AnalyticsContract:
    def __init__(self, door: Door) -> None:
        self._door = door
        self._paths = Paths((*ROUTES, DOCUMENT))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})  # before it is accepted: 403
            return
        exchange = AnalyticsExchange(scope, receive, send)
        try:
            answer = await self._serve(exchange)
        except ClientGoneError:
            return
        except Exception as error:
            known = errors.answer_to(error)
            if known is None:
                logger.exception("%s %s failed", exchange.method, scope.get("path_template"))
                known = errors.INTERNAL
            answer = known
        await exchange.answer(answer)

    async def _serve(self, exchange: AnalyticsExchange) -> Answer:
        # An empty path is the list of what there is.
        found = self._paths.find(segments_of(exchange.scope["raw_path"]) or [""])
        if found is None:
            return errors.NOT_FOUND
        exchange.scope["path_template"] = PREFIX + found.template
        exchange.named = found.named
        if found.template == DOCUMENT:
            return Answer(msgspec.json.encode(document()))
        methods = ROUTES[found.template]
        handler = methods.get(exchange.method)
        if handler is None:
            return errors.method_not_allowed(", ".join(sorted(methods)))
        await let_in(self._door, exchange)
        return await handler(self._door, exchange)
