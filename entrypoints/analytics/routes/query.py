"""SQL of the client's own."""

import msgspec

from entrypoints.analytics.door import Door
from entrypoints.analytics.exchange import AnalyticsExchange, answer_of
from entrypoints.exchange import Answer


class QueryBody(msgspec.Struct, forbid_unknown_fields=True):
    sql: str
    format: str | None = None


async def query(door: Door, exchange: AnalyticsExchange) -> Answer:
    """Whoever hangs up is no longer waited for: the question is dropped with all that it took."""
    sent = await exchange.read_body(QueryBody, 'The body is a JSON object such as {"sql": "SELECT 1"}')
    format = exchange.format(sent.format)
    answered = await exchange.unless_gone(door.queries.ask(sent.sql, format))
    return answer_of(answered, format)
