"""The operators' pages. Each is a plain ASGI application, because they stand on listeners of every contract."""

import asyncio
import logging
import urllib.request
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from application.ports import LogUnavailableError
from entrypoints.metrics import Metrics
from entrypoints.operations.readiness import Readiness
from projections.database import Database
from projections.positions import ProjectionStatus, projection_statuses

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger("tidemark.operations")

JSON = b"application/json"
PROMETHEUS = b"text/plain; version=0.0.4; charset=utf-8"


def live() -> App:
    """200 as long as the process answers at all."""

    async def page() -> tuple[int, bytes, bytes]:
        return 200, JSON, b'{"status":"alive"}'

    return _page(page)


def ready(readiness: Readiness) -> App:
    """200 when everything that the work needs is there, else 503; each check with its finding."""

    async def page() -> tuple[int, bytes, bytes]:
        findings = await readiness.look()
        ok = all(finding.ok for finding in findings.values())
        checks = {name: finding._asdict() for name, finding in findings.items()}
        body = msgspec.json.encode({"status": "ready" if ok else "not ready", "checks": checks})
        return 200 if ok else 503, JSON, body

    return _page(page)


def metrics_page(metrics: Metrics, database: Database | None = None, others: Sequence[str] = ()) -> App:
    """This process, with the lags that the database knows, and the pages at the URLs of `others`."""

    async def page() -> tuple[int, bytes, bytes]:
        if database is not None:
            await _look_at_lags(metrics, database)
        pages = await asyncio.gather(*(asyncio.to_thread(_fetched, url) for url in others))
        return 200, PROMETHEUS, metrics.page([text for text in pages if text])

    return _page(page)


def projections_page(database: Database) -> App:
    """Every read model: name, position, lag, rate, state, and the progress of its last rebuild."""

    async def page() -> tuple[int, bytes, bytes]:
        try:
            statuses = await projection_statuses(database)
        except LogUnavailableError:
            return 503, JSON, b'{"error":"the database does not answer; try again shortly"}'
        return 200, JSON, msgspec.json.encode({"projections": [_shown(status) for status in statuses]})

    return _page(page)


def not_found() -> App:
    """Where no contract lives yet."""

    async def page() -> tuple[int, bytes, bytes]:
        return 404, JSON, b'{"error":"resource not found"}'

    return _page(page, methods=None)


def _page(
    make: Callable[[], Awaitable[tuple[int, bytes, bytes]]], methods: Sequence[str] | None = ("GET", "HEAD")
) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close"})  # before it is accepted: 403
            return
        if methods is not None and scope["method"] not in methods:
            status, media_type, body = 405, JSON, b'{"error":"method not allowed"}'
        else:
            status, media_type, body = await make()
        headers = [(b"content-type", media_type), (b"content-length", str(len(body)).encode())]
        if status == 405:
            headers.append((b"allow", ", ".join(methods or ()).encode()))
        if status in (200, 503):
            headers.append((b"cache-control", b"no-store"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return app


def _shown(status: ProjectionStatus) -> Mapping[str, Any]:
    rebuild = {
        "state": status.rebuild_state,
        "position": status.rebuild_position,
        "target": status.rebuild_target,
        "percent": _percent(status.rebuild_position, status.rebuild_target),
        "rate": status.rebuild_rate,
        "seconds_left": status.rebuild_seconds_left,
    }
    return {
        "name": status.name,
        "version": status.version,
        "position": status.position,
        "lag": status.lag,
        "rate": status.rate,
        "state": status.state,
        "detail": status.detail,
        "rebuild": rebuild if status.rebuild_state else None,
    }


def _percent(position: int | None, target: int | None) -> float | None:
    return round(100 * position / target, 1) if position is not None and target else None


async def _look_at_lags(metrics: Metrics, database: Database) -> None:
    try:
        statuses = await projection_statuses(database)
    except LogUnavailableError:
        return  # what is known stays; readiness says that the database is away
    for status in statuses:
        metrics.projections.lags(status.name, status.lag)
        metrics.commands.log_is_at(status.position + status.lag)


def _fetched(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=1.0) as answer:
            text: str = answer.read().decode()
            return text
    except OSError as away:
        logger.debug("no metrics from %s: %s", url, away)
        return ""
