"""The questions that come again and again."""

import msgspec

from adapters.analytics.ready_made import ANALYSES, described, parameters_of, sql_of
from adapters.analytics.wire import TABLES
from entrypoints.analytics.door import Door
from entrypoints.analytics.errors import NOT_FOUND
from entrypoints.analytics.exchange import AnalyticsExchange, answer_of
from entrypoints.exchange import Answer


async def list_analyses(door: Door, exchange: AnalyticsExchange) -> Answer:
    """What may be asked ready-made, and the tables for questions of one's own."""
    return Answer(msgspec.json.encode({"analyses": described(), "tables": TABLES}))


async def show_analysis(door: Door, exchange: AnalyticsExchange) -> Answer:
    name = exchange.named["analysis"]
    analysis = ANALYSES.get(name)
    if analysis is None:
        return NOT_FOUND
    given = dict(exchange.query)
    format = exchange.format(given.pop("format", None))
    parameters = parameters_of(analysis, given, door.clock())
    answered = await exchange.unless_gone(door.queries.ask(sql_of(name), format, parameters))
    return answer_of(answered, format)
