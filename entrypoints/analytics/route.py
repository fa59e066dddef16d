"""What a route of this contract is."""

from collections.abc import Awaitable, Callable, Mapping

from entrypoints.analytics.door import Door
from entrypoints.analytics.exchange import AnalyticsExchange
from entrypoints.exchange import Answer

Handler = Callable[[Door, AnalyticsExchange], Awaitable[Answer]]

Routes = Mapping[str, Mapping[str, Handler]]
"""By path and method."""
