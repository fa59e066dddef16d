"""The application of the audit: routes, tokens and errors."""

import logging

import msgspec

from entrypoints.audit import errors
from entrypoints.audit.door import Door, let_in
from entrypoints.audit.exchange import AuditExchange
from entrypoints.audit.openapi import document
from entrypoints.audit.routes import ROUTES
from entrypoints.exchange import Answer, ClientGoneError
from entrypoints.operations.pages import Receive, Scope, Send
from entrypoints.paths import Paths, segments_of

PREFIX = "/audit"
DOCUMENT = "/openapi.json"

logger = logging.getLogger("tidemark.http")


class Audit:
    def __init__(self, door: Door) -> None:
        self._door = door
        self._paths = Paths((*ROUTES, DOCUMENT))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})  # before it is accepted: 403
            return
        exchange = AuditExchange(scope, receive, send)
        try:
            answer = await self._serve(exchange)
        except ClientGoneError:
            return
        except Exception as fault:
            if exchange.has_begun:
                raise
            known = errors.answer_to(fault)
            if known is None:
                logger.exception("%s %s failed", exchange.method, scope.get("path_template"))
                known = errors.INTERNAL
            answer = known
        if answer is not None:
            await exchange.answer(answer)

    async def _serve(self, exchange: AuditExchange) -> Answer | None:
        found = self._paths.find(segments_of(exchange.scope["raw_path"]))
        if found is None:
            return errors.NOT_FOUND
        exchange.scope["path_template"] = PREFIX + found.template
        if exchange.method not in ("GET", "HEAD"):
            return errors.method_not_allowed("GET, HEAD")
        if found.template == DOCUMENT:
            return Answer(msgspec.json.encode(document()))
        await let_in(self._door, exchange)
        route = ROUTES[found.template]
        exchange.named = found.named
        exchange.read_query(route.parameters)
        return await route.handler(self._door, exchange)
