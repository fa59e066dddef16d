"""What stands before every application: the correlation id, the measure of each request, the operators' pages."""

import logging
import re
from collections.abc import Mapping
from time import perf_counter

from entrypoints import correlation
from entrypoints.metrics import HttpMetrics
from entrypoints.operations.pages import App, Message, Receive, Scope, Send
from entrypoints.refusals import RECORDED, RefusalRecord

logger = logging.getLogger("tidemark.http")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_INTERNAL = b'{"error":"internal server error"}'


class Front:
    """Answers the pages in `pages` itself and hands everything else on, with doubled slashes collapsed.

    What is refused and matters is recorded before it is answered.

    Takes `X-Correlation-Id`, else `X-Request-Id`, if it is safe to repeat, and answers with `X-Request-Id`.
    """

    def __init__(
        self,
        listener: str,
        app: App,
        pages: Mapping[str, App],
        metrics: HttpMetrics,
        refusals: RefusalRecord | None = None,
    ) -> None:
        self._listener = listener
        self._app = app
        self._pages = pages
        self._metrics = metrics
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        id = correlation.begin(_asked(scope))
        if "//" in scope["path"]:
            scope["path"] = re.sub("/{2,}", "/", scope["path"])
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if status in RECORDED and self._refusals is not None:
                    await self._refusals.keep(scope, status)
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", id.encode())]
            await send(message)

        started = perf_counter()
        self._metrics.opened(self._listener)
        page = self._pages.get(scope["path"])
        try:
            await (page or self._app)(scope, receive, send_on)
        except Exception:
            logger.exception("%s %s failed", scope["method"], _as_sent(scope))
            if status:
                raise  # the server breaks the connection, so that the client sees that something is missing
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_INTERNAL)).encode())]
            await send_on({"type": "http.response.start", "status": 500, "headers": headers})
            await send_on({"type": "http.response.body", "body": _INTERNAL})
        finally:
            seconds = perf_counter() - started
            # A client that went away before it was answered has no status.
            route = scope["path"] if page else scope.get("path_template") or "none"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.answered(self._listener, method, route, status or 499, seconds)
            if status >= 500 and page is None:
                logger.warning("%s %s → %d in %.1f ms", method, _as_sent(scope), status, seconds * 1000)
            elif logger.isEnabledFor(logging.DEBUG):
                logger.debug("%s %s → %d in %.1f ms", method, _as_sent(scope), status, seconds * 1000)


def _asked(scope: Scope) -> str | None:
    request_id = None
    for name, value in scope["headers"]:
        if name == b"x-correlation-id":
            return str(value, "latin-1")
        if name == b"x-request-id":
            request_id = str(value, "latin-1")
    return request_id


def _as_sent(scope: Scope) -> str:
    """The path still encoded, so that no line break of a client's gets into a log."""
    return str(scope.get("raw_path") or b"", "latin-1")
