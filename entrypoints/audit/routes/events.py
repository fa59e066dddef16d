"""The log itself: searched, one event, and as it grows."""

import asyncio
import re
from urllib.parse import urlencode

import msgspec
from msgspec.structs import replace

from entrypoints.audit.door import Door
from entrypoints.audit.exchange import AuditExchange, BadRequestError, NotFoundError, as_number
from entrypoints.audit.views import as_csv, ndjson
from entrypoints.exchange import Answer, Header
from projections.audit.trail_queries import Page, Sought

PAGE, LARGEST_PAGE = 100, 10_000
SIGN_OF_LIFE_SECONDS = 15.0
LOOK_SECONDS = 0.5
TAIL = 500

CONTEXTS = ("identity", "devices", "connectors", "metrics", "streams")
SOURCES = ("http", "mqtt", "websocket", "connector", "system")
ORDERS = ("newest", "oldest")
PARAMETERS = (
    *(
        "context",
        "aggregate",
        "id",
        "about",
        "event",
        "actor",
        "source",
        "correlation",
        "since",
        "until",
        "after",
        "before",
    ),
    *("order", "limit", "cursor", "format"),
)
_SSE: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_is_name = re.compile("[a-z_]+").fullmatch


async def list_events(door: Door, exchange: AuditExchange) -> Answer | None:
    """A page of what is asked for, the newest first; or what comes from now on, over SSE."""
    sought = _sought(exchange)
    if exchange.form == "sse":
        await _tail(door, exchange, sought)
        return None
    newest = exchange.choice("order", ORDERS, "newest") == "newest"
    limit = exchange.number("limit", PAGE, LARGEST_PAGE) or PAGE
    head = await door.head()
    page = await door.trail.search(_from_cursor(sought, exchange.number("cursor", None), newest), limit, newest=newest)
    views = await door.views.of(page.rows)
    headers = [(b"tidemark-position", b"%d" % head), *_next_page(exchange, page)]
    if exchange.form == "ndjson":
        return Answer(ndjson(views), headers=headers, type=b"application/x-ndjson")
    if exchange.form == "csv":
        return Answer(as_csv(views), headers=headers, type=b"text/csv; charset=utf-8")
    next = None if page.next is None else str(page.next)
    return Answer(msgspec.json.encode({"events": views, "next": next}), headers=headers)


async def show_event(door: Door, exchange: AuditExchange) -> Answer:
    position = as_number(exchange.named["position"], "the position")
    row = await door.trail.at(position)
    if row is None:
        raise NotFoundError(f"there is no event at {position}; the log ends at {await door.head()}")
    return Answer(msgspec.json.encode((await door.views.of([row]))[0]))


async def _tail(door: Door, exchange: AuditExchange, sought: Sought) -> None:
    """From the end, or behind `after` or the `Last-Event-ID`, until the client hangs up or the process is to end."""
    last = exchange.header(b"last-event-id")
    seen = sought.after if last is None else as_number(last, "Last-Event-ID")
    if seen is None:
        seen = await door.head()
    await exchange.begin(200, _SSE)
    await exchange.write(b": the log follows\n\n")
    leaving = asyncio.create_task(exchange.gone(), name="audit tail")
    clock = asyncio.get_running_loop().time
    spoken = clock()
    try:
        with door.arrivals.watching(set(), everything=True) as watch:
            while not leaving.done() and not door.stopping.is_set():
                head = await door.head()
                page = await door.trail.search(replace(sought, after=seen), TAIL, newest=False)
                for view in await door.views.of(page.rows):
                    data = msgspec.json.encode(view)
                    await exchange.write(b"id: %d\nevent: event\ndata: %b\n\n" % (view.position, data))
                    spoken = clock()
                seen = max(seen, head) if page.next is None else page.next
                if page.next is None:
                    if clock() - spoken >= SIGN_OF_LIFE_SECONDS:
                        await exchange.write(b": still here\n\n")
                        spoken = clock()
                    await watch.arrived(LOOK_SECONDS)
        await exchange.end()
    finally:
        leaving.cancel()


def _sought(exchange: AuditExchange) -> Sought:
    context = exchange.text("context")
    if context is not None:
        exchange.choice("context", CONTEXTS, "")
    source = exchange.text("source")
    if source is not None:
        exchange.choice("source", SOURCES, "")
    return Sought(
        context=context,
        aggregate=_whole(context, exchange.text("aggregate"), "aggregate", 2),
        id=exchange.id("id"),
        about=exchange.id("about"),
        event=_whole(context, exchange.text("event"), "event", 3),
        actor=exchange.text("actor"),
        source=source,
        correlation=exchange.text("correlation"),
        since=exchange.time("since"),
        until=exchange.time("until"),
        after=exchange.number("after", None),
        before=exchange.number("before", None),
    )


def _whole(context: str | None, given: str | None, name: str, parts: int) -> str | None:
    """`devices.device`, also as `device` where the context is given; of an event the version may be there or not."""
    if given is None:
        return None
    segments = given.split(".")
    if len(segments) > parts and segments[-1][:1] == "v" and segments[-1][1:].isdigit():
        segments.pop()
    if len(segments) == parts - 1 and context is not None:
        segments.insert(0, context)
    if len(segments) != parts or not all(map(_is_name, segments)):
        example = ("devices.device", "devices.sensor.retired")[parts - 2]
        raise BadRequestError(f"{name} is named in full, such as {example}")
    return ".".join(segments)


def _from_cursor(sought: Sought, cursor: int | None, newest: bool) -> Sought:
    if cursor is None:
        return sought
    if newest:
        return replace(sought, before=min(cursor, sought.before or cursor))
    return replace(sought, after=max(cursor, sought.after or cursor))


def _next_page(exchange: AuditExchange, page: Page) -> list[Header]:
    if page.next is None:
        return []
    query = urlencode({**exchange.query, "cursor": page.next})
    return [(b"link", f'<{exchange.scope["root_path"]}/events?{query}>; rel="next"'.encode())]
