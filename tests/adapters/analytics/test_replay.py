"""History through a rule: what would have happened, beside what did."""

import asyncio
import json
import os
import random
import signal
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID, uuid5

import pytest

from adapters.analytics.replay import (
    READ,
    Replay,
    Replayed,
    ReplayEndedError,
    ReplayError,
    ReplayLimits,
    ReplayTooLargeError,
    Selection,
)
from domain.devices.device import DeviceConnected, DeviceStatusChanged
from domain.devices.readings import Reading, ReadingsRecorded
from tests.adapters.analytics.history import (
    HOUSE,
    MAPPER,
    NOON,
    TOPICS,
    Fact,
    append,
    append_stored,
    log_as_shown,
    sampled,
)
from tests.product import descendants_running

SENSORS = [uuid5(HOUSE, f"sensor-{number}") for number in range(3)]
SEES_ALL = """
def evolve(state, event):
    return (state or 0) + 1, [event]
"""


async def replay(
    url: str,
    rule: str | dict[str, Any],
    selection: Selection | None = None,
    limits: ReplayLimits | None = None,
) -> Replayed:
    kind: Literal["python", "thresholds"] = "python" if isinstance(rule, str) else "thresholds"
    text = rule if isinstance(rule, str) else json.dumps(rule)
    return await Replay(url, MAPPER, selection or Selection(), limits or ReplayLimits(seconds=60)).run(kind, text)


def measured(seconds: float, sensor: UUID, value: float) -> Fact:
    return Fact(seconds, HOUSE, ReadingsRecorded(device_id=HOUSE, readings=(Reading(sensor_id=sensor, value=value),)))


async def test_a_rule_sees_every_event_as_the_log_shows_it(database_url: str) -> None:
    append_stored(database_url, [sampled(topic, number) for number, topic in enumerate(TOPICS)])
    replayed = await replay(database_url, SEES_ALL)
    assert (replayed.events, replayed.would_count, replayed.state) == (len(TOPICS),) * 3

    def complete(event: dict[str, Any]) -> dict[str, Any]:
        return {"causation_id": None, **event}

    assert [complete(would.outcome) for would in replayed.would] == await log_as_shown(database_url)


async def test_an_empty_log_is_replayed_too(database_url: str) -> None:
    assert (await replay(database_url, SEES_ALL)).events == 0


async def test_a_part_of_history_is_chosen_by_context_and_time(database_url: str) -> None:
    append_stored(database_url, [sampled(topic, number, number % 24) for number, topic in enumerate(TOPICS)])
    since, until = NOON + timedelta(hours=3), NOON + timedelta(hours=9)
    replayed = await replay(database_url, SEES_ALL, Selection("devices", since, until))
    expected = [
        position
        for position, topic in enumerate(TOPICS, 1)
        if topic.startswith("devices.") and 3 <= (position - 1) % 24 < 9
    ]
    assert [would.position for would in replayed.would] == expected


async def test_what_did_happen_is_told_beside(database_url: str) -> None:
    append(
        database_url,
        measured(0, SENSORS[0], 1.0),
        Fact(1, HOUSE, DeviceStatusChanged(status=2, reason="set")),
        Fact(2, HOUSE, DeviceConnected(through="mqtt")),
    )
    replayed = await replay(database_url, "def evolve(state, event): return state", Selection(context="metrics"))
    assert (replayed.events, replayed.did_count) == (0, 1)
    assert json.loads(bytes(replayed.did[0]))["topic"] == "devices.device.status_changed.v1"
    replayed = await replay(database_url, SEES_ALL, Selection(beside=("devices.device.",)))
    assert replayed.did_count == 2


async def test_only_the_first_outcomes_are_told_in_full(database_url: str) -> None:
    append(database_url, *(measured(n, SENSORS[0], 1.0) for n in range(30)))
    replayed = await replay(database_url, SEES_ALL, limits=ReplayLimits(seconds=60, outcomes=5))
    assert (replayed.would_count, len(replayed.would)) == (30, 5)


async def test_thresholds_are_what_a_loop_finds(database_url: str) -> None:
    chance = random.Random(7)
    facts = [measured(float(n), chance.choice(SENSORS), chance.uniform(0, 40)) for n in range(600)]
    append(database_url, *facts)
    replayed = await replay(database_url, {"above": 30.0, "below": 5.0, "for_seconds": 4.0, "back_by": 2.0})
    expected: list[tuple[str, str, int]] = []
    since: dict[str, float] = {}
    alarms: set[str] = set()
    for position, fact in enumerate(facts, 1):
        assert isinstance(fact.event, ReadingsRecorded)
        sensor, value = str(fact.event.readings[0].sensor_id), fact.event.readings[0].value
        margin = 2.0 if sensor in alarms else 0.0
        if value > 30 - margin or value < 5 + margin:
            if fact.seconds - since.setdefault(sensor, fact.seconds) >= 4 and sensor not in alarms:
                alarms.add(sensor)
                expected.append(("alarm", sensor, position))
        else:
            since.pop(sensor, None)
            if sensor in alarms:
                alarms.remove(sensor)
                expected.append(("alarm over", sensor, position))
    told = [(would.outcome["what"], would.outcome["sensor_id"], would.position) for would in replayed.would]
    assert told == expected
    assert told


async def test_thresholds_for_one_sensor(database_url: str) -> None:
    append(database_url, *(measured(n, sensor, 99.0) for n, sensor in enumerate(SENSORS)))
    replayed = await replay(database_url, {"above": 30.0, "sensor": str(SENSORS[1])})
    assert [would.outcome["sensor_id"] for would in replayed.would] == [str(SENSORS[1])]


@pytest.mark.parametrize("rule", [{}, {"above": "high"}, {"over": 3}])
async def test_thresholds_that_are_none_are_refused(rule: dict[str, Any], database_url: str) -> None:
    with pytest.raises(ReplayError):
        await replay(database_url, rule)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("def evolve(state", "SyntaxError"),
        ("x = 1", r"a rule has a function evolve\(state, event\)"),
        ("def evolve(state, event):\n    return event['nothing']", r"at position 1: KeyError: 'nothing' \(line 2\)"),
        ("def evolve(state, event):\n    return object()", "no JSON"),
        ("open('/etc/passwd')", "PermissionError"),
        ("open('/tmp/rule', 'w')", "PermissionError"),
        ("import socket", "Error"),
        ("import os; os.listdir('/')", "PermissionError"),
        ("import os; os.fork()", "PermissionError"),
        ("import os; os.execv('/bin/true', ['true'])", "PermissionError"),
        ("import os; os.kill(os.getppid(), 9)", "PermissionError"),
        ("import _socket; _socket.socket()", "PermissionError"),
        ("import os; os.posix_spawn('/bin/true', ['true'], {})", "PermissionError"),
    ],
)
async def test_a_rule_can_do_nothing_but_compute(rule: str, said: str, database_url: str) -> None:
    append(database_url, measured(0, SENSORS[0], 1.0))
    if "evolve" not in rule and rule != "x = 1":
        rule += "\ndef evolve(state, event): return state"
    with pytest.raises(ReplayError, match=said):
        await replay(database_url, rule)


async def test_a_rule_may_use_what_computes(database_url: str) -> None:
    append(database_url, *(measured(n, SENSORS[0], float(n)) for n in range(5)))
    rule = """
import statistics
from datetime import datetime

def evolve(state, event):
    print("for nobody")
    values = [*(state or []), *(reading["value"] for reading in event["data"]["readings"])]
    assert datetime.fromisoformat(event["at"]).tzinfo
    return values, [{"mean": statistics.fmean(values)}]
"""
    replayed = await replay(database_url, rule)
    assert replayed.state == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert replayed.would[-1].outcome == {"mean": 2.0}


@pytest.mark.parametrize(
    ("rule", "limits"),
    [
        ("def evolve(state, event):\n    while True: pass", ReplayLimits(seconds=1.5)),
        ("def evolve(state, event): return 'x' * 10**10", ReplayLimits(seconds=60, memory=64 * 1024**2)),
        ("import os\ndef evolve(state, event): os._exit(0)", ReplayLimits(seconds=60)),
    ],
)
async def test_limits_end_a_rule(rule: str, limits: ReplayLimits, database_url: str) -> None:
    append(database_url, measured(0, SENSORS[0], 1.0))
    with pytest.raises(ReplayTooLargeError):
        await replay(database_url, rule, limits=limits)


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSEGV", "SIGTERM"])
@pytest.mark.parametrize("events", [1, READ + 1_000])
async def test_a_process_that_ends_by_itself_is_said_so(events: int, how: str, database_url: str) -> None:
    """Also while there is history left to be handed to it."""
    append(database_url, *(measured(n, SENSORS[0], 1.0) for n in range(events)))
    has_begun = asyncio.Event()
    rule = "def evolve(state, event):\n    while True: pass"
    run = Replay(database_url, MAPPER, Selection(), ReplayLimits(seconds=60))
    running = asyncio.create_task(run.run("python", rule, lambda *progress: has_begun.set()))
    await has_begun.wait()
    for pid in descendants_running("adapters.analytics.rule_runner", os.getpid()):
        os.kill(pid, signal.Signals[how])
    with pytest.raises(ReplayEndedError, match=f"ended by itself .{how}.*short of memory"):
        await asyncio.wait_for(running, 20)


async def test_who_gives_up_is_not_waited_for(database_url: str) -> None:
    append(database_url, *(measured(n, SENSORS[0], 1.0) for n in range(100)))
    running = asyncio.create_task(replay(database_url, "def evolve(state, event):\n    while True: pass"))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
