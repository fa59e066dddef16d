"""One aggregate as it was."""

import msgspec

from entrypoints.audit.door import Door
from entrypoints.audit.exchange import AuditExchange, BadRequestError, NotFoundError, as_id
from entrypoints.audit.routes.events import CONTEXTS
from entrypoints.exchange import Answer

PARAMETERS = ("as_of",)


async def show_state(door: Door, exchange: AuditExchange) -> Answer:
    """The fold of its events by then, without private and personal fields; null where it was gone. Raises AsOfError,
    BeforeItBeganError and NoStateError."""
    context = exchange.named["context"]
    if context not in CONTEXTS:
        raise BadRequestError(f"a context is one of {', '.join(CONTEXTS)}")
    id = as_id(exchange.named["id"], "the id")
    aggregate = await door.states.kind(context, id)
    if aggregate is None:
        raise NotFoundError(f"nothing happened to {id} in {context}")
    moment = exchange.text("as_of")
    as_of = await door.head() if moment is None else await door.moments.position_in_log(moment)
    found = await door.states.find(aggregate, id, as_of)
    body = {"context": context, "aggregate": aggregate, "id": id, "as_of": as_of, **found._asdict()}
    return Answer(msgspec.json.encode(body), headers=((b"tidemark-as-of", b"%d" % as_of),))
