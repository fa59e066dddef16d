"""One aggregate: everything that happened to it, and what that made different."""

import msgspec

from entrypoints.audit.door import Door
from entrypoints.audit.exchange import AuditExchange, BadRequestError, NotFoundError, as_id
from entrypoints.audit.routes.events import CONTEXTS, ORDERS, PAGE
from entrypoints.exchange import Answer

LARGEST_HISTORY = 1_000
PARAMETERS = ("order", "limit", "cursor")


async def show_history(door: Door, exchange: AuditExchange) -> Answer:
    """The `changes` of an event are null where nobody knows the state (docs/audit.md)."""
    context = exchange.named["context"]
    if context not in CONTEXTS:
        raise BadRequestError(f"a context is one of {', '.join(CONTEXTS)}")
    id = as_id(exchange.named["id"], "the id")
    newest = exchange.choice("order", ORDERS, "oldest") == "newest"
    limit = exchange.number("limit", PAGE, LARGEST_HISTORY) or PAGE
    history = await door.histories.find(context, id, exchange.number("cursor", None), limit, newest=newest)
    if history is None:
        raise NotFoundError(f"nothing happened to {id} in {context}")
    views = await door.views.of([step.row for step in history.steps])
    body = {
        "context": context,
        "aggregate": history.aggregate,
        "id": id,
        "events": [
            {**msgspec.structs.asdict(view), "changes": step.changes}
            for view, step in zip(views, history.steps, strict=True)
        ],
        "next": None if history.next is None else str(history.next),
    }
    return Answer(msgspec.json.encode(body), headers=((b"tidemark-position", b"%d" % await door.head()),))
