"""History through a rule of the client's own."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from adapters.analytics.replay import Selection
from entrypoints.analytics.door import Door
from entrypoints.analytics.errors import BadRequestError
from entrypoints.analytics.exchange import AnalyticsExchange
from entrypoints.exchange import Answer

Time = Annotated[datetime, msgspec.Meta(tz=True)]


class ReplayBody(msgspec.Struct, forbid_unknown_fields=True):
    """The rule is a program, `python`, or `thresholds`."""

    python: str | None = None
    thresholds: dict[str, Any] | None = None
    context: str | None = None
    since: Time | None = None
    until: Time | None = None
    beside: tuple[str, ...] = Selection.beside


async def replay(door: Door, exchange: AnalyticsExchange) -> Answer:
    """Nothing is recorded. Whoever hangs up is no longer waited for."""
    sent = await exchange.read_body(ReplayBody, "The body cannot be read")
    if (sent.python is None) == (sent.thresholds is None):
        raise BadRequestError("A rule is either `python` or `thresholds`")
    run = door.replay(Selection(sent.context, sent.since, sent.until, sent.beside))
    if sent.thresholds is not None:
        work = run.run("thresholds", msgspec.json.encode(sent.thresholds).decode())
    else:
        work = run.run("python", sent.python or "")
    return Answer(msgspec.json.encode(await exchange.unless_gone(work)))
