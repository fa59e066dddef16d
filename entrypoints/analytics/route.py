"""What a route of this contract is."""

from entrypoints.analytics.door import Door
from entrypoints.analytics.exchange import AnalyticsExchange
from entrypoints.contract_application import Handler

Route = Handler[Door, AnalyticsExchange]
