"""How the server does."""

from entrypoints.cloud_connector.door import Door
from entrypoints.cloud_connector.exchange import ConnectorExchange
from entrypoints.cloud_connector.status import STATUS_UNITS
from entrypoints.cloud_connector.views import StatusView, read
from entrypoints.exchange import Answer


async def show_status(door: Door, _: ConnectorExchange) -> Answer:
    seen = await door.positions.fresh("connections")
    metrics = door.status(await door.connections.count())
    return read(StatusView(metrics=metrics, units=STATUS_UNITS), seen)
