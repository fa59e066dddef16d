"""One conversation: everything that came of one request or message."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from adapters.nats.messages import subject_of
from entrypoints.audit.door import Door
from entrypoints.audit.exchange import AuditExchange, NotFoundError
from entrypoints.audit.views import EventView
from entrypoints.exchange import Answer
from projections.audit.traces import Node
from projections.audit.trail_queries import Row


async def show_trace(door: Door, exchange: AuditExchange) -> Answer:
    correlation = exchange.named["correlation"]
    trace = await door.traces.find(correlation)
    if trace is None:
        raise NotFoundError(f"the log has nothing of the conversation {correlation}")
    rows = list(_rows(trace.tree))
    views = {view.position: view for view in await door.views.of(rows)}
    first = views[trace.first.position]
    body = {
        "correlation": correlation,
        "began": {
            "at": first.at,
            "actor": first.actor,
            "actor_name": first.actor_name,
            "source": first.source,
            "causation_id": first.causation_id,
        },
        "events": trace.events,
        "cut": trace.cut,
        "tree": [_view(node, views) for node in trace.tree],
    }
    return Answer(msgspec.json.encode(body), headers=((b"tidemark-position", b"%d" % await door.head()),))


def _rows(nodes: Sequence[Node]) -> Iterator[Row]:
    for node in nodes:
        if node.row is not None:
            yield node.row
        yield from _rows(node.caused)


def _view(node: Node, views: Mapping[int, EventView]) -> dict[str, Any]:
    caused = [_view(one, views) for one in node.caused]
    if node.row is None:
        about = {"cause": node.cause} if node.cause is not None else {"correlation": node.correlation}
        return {**about, "caused": caused}
    event = views[node.row.position]
    return {"event": event, "published": f"{subject_of(node.row.topic)}{node.row.stream}", "caused": caused}
