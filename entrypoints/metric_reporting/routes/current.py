"""What is current: values that have not expired (contract metrics 1.6)."""

from entrypoints.exchange import Answer
from entrypoints.metric_reporting.door import Door
from entrypoints.metric_reporting.errors import not_found
from entrypoints.metric_reporting.exchange import MetricExchange
from entrypoints.metric_reporting.shown_ids import in_shown_order
from entrypoints.metric_reporting.views import device_metric_view, fleet_metric_view, number, read
from projections.as_of import clock
from projections.metrics.current import CurrentMetrics


async def list_metrics(door: Door, _: MetricExchange) -> Answer:
    """Every metric that any device has a value of, each once."""
    seen = await door.see(CurrentMetrics.name)
    metrics = await door.current.over_devices(await clock(door.clock))
    return read([fleet_metric_view(metric) for metric in metrics], seen)


async def list_values(door: Door, exchange: MetricExchange) -> Answer:
    """One metric of every device that has a value of it."""
    seen = await door.see(CurrentMetrics.name)
    found = await door.current.of_metric(exchange.named["name"], await clock(door.clock))
    values = {device: number(value) for device, value in found}
    shown = await in_shown_order(door, values)
    if not shown:
        raise not_found("Metric")
    return read([{"id": id, "value": values[device]} for device, id in shown.items()], seen)


async def list_device_metrics(door: Door, exchange: MetricExchange) -> Answer:
    """Every metric of one device, as long as it ever reported one."""
    seen = await door.see(CurrentMetrics.name)
    device = await door.directory.identify(exchange.named["device"])
    metrics = None if device is None else await door.current.of_device(device, await clock(door.clock))
    if metrics is None:
        raise not_found("Host")
    return read([device_metric_view(metric) for metric in metrics], seen)
