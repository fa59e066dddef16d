"""The log as Parquet, and a report over ten million events.

* *Export*: what `tidemark export` does, into an empty directory, with a log of ten million events of a fleet (one
  million with `--quick`): readings, and devices that come and go (one event in a hundred). The rows are counted.
* *Availability*: of the devices that come and go, over all of that time, from that export, as
  `GET /analytics/availability` asks for it: with the start of the process that answers, and the head of the log.
* *What-if*: all of that log through a rule in Python that counts the readings above a value, as `tidemark replay` does
  it.
* *SQL*: what is asked most, the events of each kind in all of the log, in the same way.
"""

import asyncio
import json
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

from adapters.analytics.export import Exporter
from adapters.analytics.query import Queries, QueryLimits
from adapters.analytics.ready_made import ANALYSES, parameters_of, sql_of
from adapters.analytics.replay import Replay, ReplayLimits, Selection
from adapters.analytics.tail import LiveTail
from adapters.eventstore.reader import PostgresLogReader
from benchmarks.fleet import announce, fleet, mapper
from benchmarks.measure import Bench, Figure, Spread, require_equal
from benchmarks.rebuild import fill
from benchmarks.servers import migrated_postgres

EVENTS, QUICK_EVENTS = 10_000_000, 1_000_000
DEVICES = 500
COMING_AND_GOING = 5
KINDS = 6
EXPORTS = 3
RULE = """
def evolve(state, event):
    if event["topic"] != "devices.readings.recorded.v1":
        return state
    return (state or 0) + sum(reading["value"] > 30 for reading in event["data"]["readings"])
"""


async def measure(bench: Bench) -> list[Figure]:
    events = QUICK_EVENTS if bench.quick else EVENTS
    with migrated_postgres() as url, tempfile.TemporaryDirectory() as directory:
        bench.say(f"filling the log with {events:,} events")
        members = fleet(DEVICES)
        await announce(url, members)
        await asyncio.to_thread(fill, url, members, events)
        rates = []
        for number in range(EXPORTS):
            bench.say(f"export {number + 1} of {EXPORTS}")
            rates.append(await _export(url, Path(directory, str(number)), events))
        async with PostgresLogReader(url, mapper()) as reader:
            queries = Queries(Path(directory, "0"), LiveTail(reader, mapper(), 1_000).behind, QueryLimits())
            parameters = parameters_of(ANALYSES["availability"], _period(), datetime.now(UTC))
            availability = await _asked(bench, queries, sql_of("availability"), parameters, COMING_AND_GOING)
            kinds = await _asked(bench, queries, "SELECT topic, count(*) FROM events GROUP BY topic", {}, KINDS)
        bench.say("what-if")
        what_if = [await _replayed(url, events) for _ in range(EXPORTS)]
    return [
        Figure(f"export of {events:,} events", Spread.of(rates), " events/s", at_least=100_000),
        Figure(f"availability of devices over {events:,} events", availability, " s", at_most=1),
        Figure(f"what-if over {events:,} events", Spread.of(what_if), " events/s", at_least=100_000),
        Figure(f"SQL: {events:,} events by kind", kinds, " s"),
    ]


def _period() -> Mapping[str, str]:
    now = datetime.now(UTC)
    return {"since": (now - timedelta(days=2)).isoformat(), "until": (now + timedelta(days=3)).isoformat()}


async def _export(url: str, directory: Path, events: int) -> float:
    """Events a second."""
    started = perf_counter()
    manifest = await Exporter(url, mapper(), directory).run()
    seconds = perf_counter() - started
    require_equal(events, manifest.position, "events")
    require_equal(events, sum(file.rows for file in manifest.files if file.table == "events"), "exported events")
    return events / seconds


async def _replayed(url: str, events: int) -> float:
    """Events a second."""
    started = perf_counter()
    replayed = await Replay(url, mapper(), Selection(), ReplayLimits()).run("python", RULE)
    seconds = perf_counter() - started
    require_equal(events, replayed.events, "events")
    return events / seconds


async def _asked(bench: Bench, queries: Queries, sql: str, parameters: Mapping[str, Any], expected: int) -> Spread:
    seconds = []
    for _ in bench.rounds():
        started = perf_counter()
        answered = await queries.ask(sql, "json", parameters)
        seconds.append(perf_counter() - started)
        require_equal(expected, len(json.loads(answered.body)["rows"]), "rows")
    return Spread.of(seconds)
