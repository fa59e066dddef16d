"""Which devices are connected, and what went over their connections."""

from application.ports import Road
from entrypoints.cloud_connector.door import Door
from entrypoints.cloud_connector.errors import DEVICE_NOT_FOUND, UPGRADE, RefusedError, away
from entrypoints.cloud_connector.exchange import ConnectorExchange
from entrypoints.cloud_connector.status import TRAFFIC_UNITS
from entrypoints.cloud_connector.views import (
    DeviceListView,
    DeviceStatusView,
    IdsView,
    device_view,
    read,
    show,
    traffic_metrics,
)
from entrypoints.exchange import Answer
from projections.as_of import require_now
from projections.devices.connections import Connection


async def list_ids(door: Door, _: ConnectorExchange) -> Answer:
    seen = await door.positions.fresh("connections")
    return read(IdsView(devices=await door.connections.ids()), seen)


async def list_devices(door: Door, _: ConnectorExchange) -> Answer:
    require_now()  # what went over the connections is in memory
    seen = await door.positions.fresh("connections")
    connections = await door.connections.list()
    traffic = await door.line.traffic([road_of(connection) for connection in connections])
    views = [device_view(connection, traffic.get(connection.connection_id)) for connection in connections]
    return read(DeviceListView(devices=views), seen)


async def show_device(door: Door, exchange: ConnectorExchange) -> Answer:
    require_now()
    if (link := door.links.find(exchange.device)) is not None:
        metrics = traffic_metrics(link.opened_at, link.traffic)
        return show(DeviceStatusView(metrics=metrics, units=TRAFFIC_UNITS))
    seen = await door.positions.fresh("connections")
    connection = await door.connections.find(exchange.device)
    if connection is None:
        raise RefusedError(DEVICE_NOT_FOUND)
    told = await door.line.traffic([road_of(connection)])
    if connection.connection_id not in told:
        raise RefusedError(away("the process that holds the device's connection does not answer; try again shortly"))
    metrics = traffic_metrics(connection.connected_at, told[connection.connection_id])
    return read(DeviceStatusView(metrics=metrics, units=TRAFFIC_UNITS), seen)


async def connect(_: Door, __: ConnectorExchange) -> Answer:
    """The devices' door, at which somebody knocked who speaks no WebSocket."""
    raise RefusedError(UPGRADE)


def road_of(connection: Connection) -> Road:
    return Road(connection.through, connection.holder, connection.connection_id)
