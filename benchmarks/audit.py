"""The audit in a log of ten million events: pages that are asked for by each of the filters, the history of a device,
and a trace.

The log is the one that `rebuild` is measured with; every event has a conversation of its own. Pages have a hundred
events, and each is asked for in forty places.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from time import perf_counter
from uuid import UUID

from adapters.eventstore.reader import PostgresLogReader
from benchmarks.fleet import announce, fleet, mapper
from benchmarks.measure import Bench, Figure, Spread, percentile, require_equal
from benchmarks.rebuild import fill
from benchmarks.servers import migrated_postgres
from projections.audit.histories import HistoryQueries
from projections.audit.traces import TraceQueries
from projections.audit.trail import AuditTrail
from projections.audit.trail_queries import Sought, TrailQueries
from projections.database import Database
from projections.devices.directory import DeviceDirectory
from projections.devices.readings import ReadingHistory
from projections.rebuild import rebuild

EVENTS = 10_000_000
PLACES = 40


async def measure(bench: Bench) -> list[Figure]:
    events = 300_000 if bench.quick else EVENTS
    with migrated_postgres() as url:
        bench.say(f"filling the log with {events:,} events")
        members = fleet(500)
        await announce(url, members)
        await asyncio.to_thread(fill, url, members, events)
        bench.say("indexing it")
        reader = PostgresLogReader(url, mapper())
        started = perf_counter()
        await rebuild(url, (AuditTrail, DeviceDirectory, ReadingHistory), reader)
        bench.say(f"indexed and projected at {events / (perf_counter() - started):,.0f} events/s")
        await reader.close()
        async with Database(url) as database:
            return await _pages(bench, database, [device.id for device in members], events)


async def _pages(bench: Bench, database: Database, devices: Sequence[UUID], events: int) -> list[Figure]:
    trail, histories = TrailQueries(database), HistoryQueries(database, mapper().event)
    traces, chance = TraceQueries(database, trail), random.Random(1)
    end = datetime.now(UTC) - timedelta(days=1)

    async def search(sought: Sought) -> None:
        page = await trail.search(sought, 100, newest=True)
        require_equal(True, len(page.rows) > 0, "something found")

    def somewhere() -> int:
        return chance.randrange(events // 2, events)

    asked: dict[str, Callable[[], Awaitable[object]]] = {
        "everything": lambda: search(Sought(before=somewhere())),
        "actor": lambda: search(Sought(actor=f"device:{chance.choice(devices)}", before=somewhere())),
        "event": lambda: search(Sought(event="devices.device.connected", before=somewhere())),
        "actor and event": lambda: search(
            Sought(actor=f"device:{chance.choice(devices)}", event="devices.readings.recorded", before=somewhere())
        ),
        "about": lambda: search(Sought(about=chance.choice(devices), before=somewhere())),
        "correlation": lambda: search(Sought(correlation=f"benchmark-{chance.randrange(10_000, events):08}")),
        "time": lambda: search(Sought(until=end + timedelta(milliseconds=20 * chance.randrange(events // 2, events)))),
        "history": lambda: histories.find("devices", chance.choice(devices), None, 100, newest=True),
        "trace": lambda: traces.find(f"benchmark-{chance.randrange(10_000, events):08}"),
    }
    figures = []
    for name, ask in asked.items():
        bench.say(f"asking for pages by {name}")
        await ask()
        taken = []
        for _ in range(PLACES):
            started = perf_counter()
            await ask()
            taken.append((perf_counter() - started) * 1000)
        what = f"{name}: {'page' if name == 'history' else 'answer'} in a log of {events:,} events"
        figures.append(Figure(what, Spread.of(taken), "ms", at_most=20, note=f"p95 {percentile(taken, 0.95):.1f} ms"))
    return figures
