"""All current values, as Prometheus scrapes them (beyond the contract)."""

import asyncio

from entrypoints.exchange import Answer, position_headers
from entrypoints.metric_reporting.bodies.exposition import TYPE, Exposition
from entrypoints.metric_reporting.door import Door
from entrypoints.metric_reporting.exchange import MetricExchange
from projections.as_of import clock
from projections.metrics.current import AT_ONCE, CurrentMetrics, CurrentValue


async def federate(door: Door, _: MetricExchange) -> Answer:
    """What has not expired. Without times of their own: a value that holds for an hour is current, however long ago it
    was reported, and Prometheus would take it for gone after five minutes."""
    seen = await door.see(CurrentMetrics.name)
    exposition = Exposition()
    together: list[CurrentValue] = []
    async for value in door.current.everything(await clock(door.clock)):
        together.append(value)
        if len(together) == AT_ONCE:
            await _add(door, exposition, together)
            together = []
    await _add(door, exposition, together)
    page = await asyncio.to_thread(exposition.page)
    return Answer(page, headers=position_headers(seen), type=TYPE)


async def _add(door: Door, exposition: Exposition, values: list[CurrentValue]) -> None:
    """Some thousand, in a thread, because who waits for a command must not wait for this. Devices that are not there
    any more are left out."""
    shown = await door.directory.shown_ids({value.device_id for value in values})
    await asyncio.to_thread(exposition.add, values, shown)
