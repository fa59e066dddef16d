"""SQL of the client's own."""

import msgspec

from entrypoints.analytics.door import Door
from entrypoints.analytics.errors import BadRequestError
from entrypoints.analytics.exchange import AnalyticsExchange, answer_of
from entrypoints.exchange import Answer

LARGEST = 256 * 1024
BODY_SECONDS = 10.0


class QueryBody(msgspec.Struct, forbid_unknown_fields=True):
    sql: str
    format: str | None = None


async def query(door: Door, exchange: AnalyticsExchange) -> Answer:
    """Whoever hangs up is no longer waited for: the question is dropped with all that it took."""
    try:
        sent = msgspec.json.decode(await exchange.body(LARGEST, BODY_SECONDS), type=QueryBody)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as wrong:
        raise BadRequestError(f'The body is a JSON object such as {{"sql": "SELECT 1"}}: {wrong}') from None
    format = exchange.format(sent.format)
    answered = await exchange.unless_gone(door.queries.ask(sent.sql, format))
    return answer_of(answered, format)
