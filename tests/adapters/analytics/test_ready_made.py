"""What the files of SQL say is what a loop over the same history says."""

import asyncio
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from adapters.analytics.query import Queries, QueryLimits
from adapters.analytics.ready_made import ANALYSES, ParameterError, parameters_of, sql_of
from adapters.eventstore.reader import PostgresLogReader
from domain.connectors.client import ClientAdmitted, ClientCreated, ClientFailed, ClientResumed, ClientStarted
from domain.devices.command import (
    DeviceCommandAnswered,
    DeviceCommandFailed,
    DeviceCommandIssued,
    DeviceCommandTimedOut,
)
from domain.devices.device import DeviceConnected, DeviceDisconnected, DeviceRemoved
from domain.devices.readings import Reading, ReadingsRecorded
from domain.streams.partition import MessagesProduced
from tests.adapters.analytics.history import HOUSE, MAPPER, NOON, Fact, append, live_tail
from tests.persons import PERSON

HOUR = 3_600
SINCE, UNTIL = HOUR, 3 * HOUR
PERIOD = {"since": "2026-01-14T13:00:00Z", "until": "2026-01-14T15:00:00Z"}
DEVICES = [uuid5(HOUSE, f"device-{number}") for number in range(3)]


async def answer(url: str, name: str, **given: str) -> list[dict[str, Any]]:
    """The rows of an analysis, by the names of its columns."""
    parameters = parameters_of(ANALYSES[name], {**PERIOD, **given}, NOON)
    async with PostgresLogReader(url, MAPPER) as reader:
        queries = Queries(None, live_tail(reader).behind, QueryLimits(seconds=60))
        told = json.loads((await queries.ask(sql_of(name), "json", parameters)).body)
    names = [column["name"] for column in told["columns"]]
    return [dict(zip(names, row, strict=True)) for row in told["rows"]]


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def availability_by_hand(facts: list[Fact], device: UUID) -> Mapping[str, Any]:
    """Walks through the history, with the roads by which the device is there."""
    roads: set[str] = set()
    there, longest, come, gone, last = 0.0, 0.0, 0, 0, None
    for fact in [fact for fact in facts if fact.aggregate_id == device and fact.seconds < UNTIL]:
        if last is not None:
            seconds = max(fact.seconds, SINCE) - max(last, SINCE)
            there, longest = (there + seconds, longest) if roads else (there, max(longest, seconds))
        was_there, last = bool(roads), fact.seconds
        match fact.event:
            case DeviceConnected(through=road):
                roads.add(road)
            case DeviceDisconnected(through=road):
                roads.discard(road)
            case _:
                roads.clear()
        come += bool(roads) and not was_there and fact.seconds >= SINCE
        gone += was_there and not roads and fact.seconds >= SINCE
    seconds = UNTIL - max(last or 0, SINCE)
    there, longest = (there + seconds, longest) if roads else (there, max(longest, seconds))
    return {
        "device_id": str(device),
        "seconds_there": pytest.approx(there),
        "availability": pytest.approx(there / (UNTIL - SINCE), abs=1e-5),
        "times_come": come,
        "times_gone": gone,
        "longest_away_seconds": pytest.approx(longest),
        "is_there_at_the_end": bool(roads),
    }


def presences(steps: list[tuple[int, str, int]]) -> list[Fact]:
    """What the domain would record of devices that come and go by two roads, and are removed."""
    facts, roads, seconds = [], defaultdict[UUID, set[str]](set), 0
    for number, step, pause in steps:
        device = DEVICES[number]
        seconds += pause
        known = roads[device]
        if step == "removed" and known:
            facts.append(Fact(seconds, device, DeviceRemoved()))
            known.clear()
        elif step != "removed" and step not in known:
            facts.append(Fact(seconds, device, DeviceConnected(through=step)))
            known.add(step)
        elif step in known:
            facts.append(Fact(seconds, device, DeviceDisconnected(through=step, reason="offline")))
            known.discard(step)
    return facts


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["mqtt", "websocket", "removed"]), st.integers(1, 1_200)),
        min_size=1,
        max_size=40,
    )
)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_availability(make_database: Any, steps: list[tuple[int, str, int]]) -> None:

    facts = presences(steps)
    url = make_database()
    append(url, *facts)
    known = {fact.aggregate_id for fact in facts if fact.seconds < UNTIL}
    told = {row["device_id"]: row for row in asyncio.run(answer(url, "availability"))}
    assert told == {str(device): availability_by_hand(facts, device) for device in known}


async def test_availability_of_one_device(database_url: str) -> None:
    append(database_url, *(Fact(0, device, DeviceConnected(through="mqtt")) for device in DEVICES))
    (row,) = await answer(database_url, "availability", device=str(DEVICES[1]))
    assert (row["device_id"], row["availability"], row["times_come"]) == (str(DEVICES[1]), 1, 0)


async def test_command_latency(database_url: str) -> None:
    facts, latencies = [], [0.02 * n + 0.005 for n in range(100)]
    for number, latency in enumerate(latencies):
        id, issued = uuid5(HOUSE, f"command-{number}"), SINCE + 10.0 * number
        facts.append(Fact(issued, HOUSE, _issued(id, issued)))
        facts.append(Fact(issued + latency, HOUSE, DeviceCommandAnswered(command_id=id, status="ok", value="1")))
    for number, outcome in enumerate([DeviceCommandTimedOut, DeviceCommandTimedOut, DeviceCommandFailed, None]):
        id, issued = uuid5(HOUSE, f"silent-{number}"), SINCE + 2_000.0 + number
        facts.append(Fact(issued, HOUSE, _issued(id, issued)))
        if outcome is DeviceCommandFailed:
            facts.append(Fact(issued + 1, HOUSE, DeviceCommandFailed(command_id=id, reason="gone")))
        elif outcome is DeviceCommandTimedOut:
            facts.append(Fact(issued + 8, HOUSE, DeviceCommandTimedOut(command_id=id)))
    # Too early to count.
    facts.append(Fact(SINCE - 1, HOUSE, _issued(uuid5(HOUSE, "early"), SINCE - 1)))
    append(database_url, *facts)
    (row,) = await answer(database_url, "command-latency")
    counted = ("issued", "answered", "failed", "timed_out", "without_outcome")
    assert [row[name] for name in counted] == [104, 100, 1, 2, 1]
    assert row["p50_ms"] == pytest.approx(statistics.median(latencies) * 1e3)
    assert row["p99_ms"] == pytest.approx(statistics.quantiles(latencies, n=100, method="inclusive")[98] * 1e3)
    assert row["slowest_ms"] == pytest.approx(max(latencies) * 1e3)
    assert (row["device_id"], row["kind"]) == (str(HOUSE), "command")


async def test_reading_statistics(database_url: str) -> None:
    sensor = uuid5(HOUSE, "sensor")
    times = [SINCE + 10.0 * n for n in range(100)] + [SINCE + 4_000.0 + 10.0 * n for n in range(50)]
    values = [float(n % 17) for n in range(len(times))]
    facts = [_measured(sensor, time, value) for time, value in zip(times, values, strict=True)]
    facts.append(_measured(sensor, times[3], 1_000.0))  # the same again: the first one stands
    facts.append(_measured(sensor, UNTIL + 1.0, 1_000.0))
    append(database_url, *facts)
    (row,) = await answer(database_url, "reading-statistics")
    pauses = [later - earlier for earlier, later in pairwise(times)]
    gaps = [pause for pause in pauses if pause > 5 * statistics.median(pauses)]
    assert (row["readings"], row["least"], row["greatest"]) == (len(times), min(values), max(values))
    assert row["mean"] == pytest.approx(statistics.fmean(values))
    assert row["median"] == statistics.median(values)
    assert row["deviation"] == pytest.approx(statistics.stdev(values))
    assert (row["gaps"], row["seconds_in_gaps"], row["longest_gap_seconds"]) == (len(gaps), sum(gaps), max(gaps))
    assert row["longest_gap_ended_at"] == "2026-01-14T14:06:40Z"
    (row,) = await answer(database_url, "reading-statistics", gap="5")
    assert row["gaps"] == len(pauses)


async def test_message_rates(database_url: str) -> None:
    produced = [(SINCE + 7.0 * n, "even" if n % 2 else "odd", n % 5 + 1) for n in range(200)]
    append(
        database_url,
        *(
            Fact(
                time,
                uuid5(HOUSE, name),
                MessagesProduced(name=name, partition=0, entry=n, offset=n, count=count, values=Raw(b"[1]")),
            )
            for n, (time, name, count) in enumerate(produced)
        ),
    )
    expected = Counter[tuple[str, str]]()
    for time, name, count in produced:
        bucket = at(time - time % 60).isoformat().replace("+00:00", "Z")
        expected[name, bucket] += count
    told = {(row["topic"], row["since"]): row for row in await answer(database_url, "message-rates", bucket="60")}
    assert {place: row["messages"] for place, row in told.items()} == dict(expected)
    assert all(row["messages_per_second"] == pytest.approx(row["messages"] / 60) for row in told.values())
    assert {row["topic"] for row in await answer(database_url, "message-rates", topic="odd")} == {"odd"}


async def test_busiest_actors(database_url: str) -> None:
    actors = [f"user:{n % 7 % 4}" for n in range(100)]
    append(
        database_url,
        *(Fact(SINCE + n, DEVICES[0], DeviceConnected(through="mqtt"), actor=actor) for n, actor in enumerate(actors)),
    )
    told = [(row["actor"], row["events"]) for row in await answer(database_url, "busiest-actors", limit="2")]
    assert told == sorted(Counter(actors).items(), key=lambda item: (-item[1], item[0]))[:2]
    assert await answer(database_url, "busiest-actors", context="identity") == []


async def test_connector_stability(database_url: str) -> None:
    client = uuid5(HOUSE, "client")
    created = ClientCreated(person=PERSON, owner="o", subject="s", type_id="mqtt", instance_id=HOUSE)
    append(
        database_url,
        Fact(0, client, created),
        Fact(1, client, ClientAdmitted()),
        Fact(2, client, ClientStarted()),
        Fact(SINCE + 600, client, ClientFailed(reason="refused")),
        Fact(SINCE + 660, client, ClientResumed(reason="asked")),
        Fact(SINCE + 670, client, ClientStarted()),
        Fact(SINCE + 1_000, client, ClientFailed(reason="unreachable")),
        Fact(SINCE + 2_000, client, ClientStarted()),
        Fact(UNTIL + 5, client, ClientFailed(reason="too late to count")),
    )
    (row,) = await answer(database_url, "connector-stability")
    running = 600 + 330 + (UNTIL - SINCE - 2_000)
    assert row == {
        "client_id": str(client),
        "type_id": "mqtt",
        "last_step": "started",
        "times_started": 2,
        "times_failed": 2,
        "seconds_running": running,
        "share_running": pytest.approx(running / (UNTIL - SINCE), abs=1e-6),
        "last_failure": "unreachable",
    }


def test_without_a_period_the_last_day_is_told_of() -> None:
    read = parameters_of(ANALYSES["availability"], {}, datetime(2026, 1, 14, tzinfo=UTC))
    assert read == {"since": "2026-01-13T00:00:00+00:00", "until": "2026-01-14T00:00:00+00:00", "device": None}


@pytest.mark.parametrize(
    "given",
    [
        {"since": "yesterday"},
        {"since": "2026-01-14T12:00:00"},
        {"since": "2026-01-14T12:00:00Z", "until": "2026-01-14T12:00:00Z"},
        {"device": "boiler"},
        {"gap": "-1"},
        {"gap": "5e-324"},
        {"gap": "nan"},
        {"gap": "inf"},
        {"other": "1"},
    ],
)
def test_parameters_that_cannot_be_read_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(ParameterError):
        parameters_of(ANALYSES["reading-statistics"], given, NOON)


def _issued(id: UUID, seconds: float) -> DeviceCommandIssued:
    return DeviceCommandIssued(device_id=HOUSE, command_id=id, kind="command", action="", issued_at=at(seconds))


def _measured(sensor: UUID, seconds: float, value: float) -> Fact:
    reading = Reading(sensor_id=sensor, value=value, value_at=at(seconds))
    return Fact(seconds, HOUSE, ReadingsRecorded(device_id=HOUSE, readings=(reading,)))
