"""One value of one metric of one device (contract metrics 1.4)."""

from application.metrics.reports import ReportNamedDevice
from domain.metrics.reports import DeviceUnknownError
from entrypoints.exchange import Answer
from entrypoints.metric_reporting.bodies.report import report_in
from entrypoints.metric_reporting.door import Door, origin_of
from entrypoints.metric_reporting.errors import unknown_host
from entrypoints.metric_reporting.exchange import MetricExchange
from entrypoints.metric_reporting.views import DONE


async def report(door: Door, exchange: MetricExchange) -> Answer:
    """What is wrong with the JSON, then with the fields, then with the device; else it is on disk."""
    reported = report_in(await exchange.report_body())
    device = exchange.named["device"]
    try:
        await door.executor.execute(ReportNamedDevice(device=device, reports=(reported,)), origin_of(exchange))
    except DeviceUnknownError:
        raise unknown_host(device) from None
    return DONE
