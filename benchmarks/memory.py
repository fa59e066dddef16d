"""Memory of all our own processes of `tidemark up`, while two million readings come in over MQTT.

The sum over every Python process that `tidemark up` consists of (not the embedded PostgreSQL and NATS): PSS, in which
memory shared by several processes counts once. Looked at when the read models have caught up, after every quarter of
a million. Caches fill during the first million; *flat* compares the end of the second with the end of the first.
"""

import os
from pathlib import Path

from benchmarks.deployment import up
from benchmarks.fleet import announce, fleet
from benchmarks.measure import Bench, Figure, Spread
from benchmarks.mqtt_commit import TOPIC, commit_rate

READINGS = 1_000_000
LOOKS = 4  # during each million
PER_MESSAGE = 100


async def measure(bench: Bench) -> list[Figure]:
    members = fleet(200)
    topics = [(f"{TOPIC}/{device.id}/readings", device.sensors) for device in members]
    async with up() as deployment:
        await announce(deployment.database, members)
        await deployment.settle()
        idle = memory_of(deployment.pid)
        looks: list[tuple[float, float, int]] = []
        for look in range(2 * LOOKS):
            bench.say(f"{look * READINGS // LOOKS:,} readings, {looks[-1][0] if looks else idle[0]:.0f} MB")
            await commit_rate(deployment, topics, READINGS // LOOKS // PER_MESSAGE, PER_MESSAGE)
            looks.append(memory_of(deployment.pid))
    proportional = [pss for pss, _, _ in looks]
    million, two_million = proportional[LOOKS - 1], proportional[-1]
    _, resident, processes = looks[LOOKS - 1]
    note = f"{processes} processes, RSS {resident:.0f} MB, idle {idle[0]:.0f} MB"
    growth = two_million / million
    return [
        Figure(
            "memory of all our own processes after a million readings",
            Spread(million, min(proportional[:LOOKS]), max(proportional[:LOOKS]), LOOKS),
            " MB",
            at_most=400,
            note=note,
        ),
        Figure(
            "the same after two million ÷ after a million",
            Spread(growth, growth, growth, 1),
            at_most=1.1,
            note=", ".join(f"{pss:.0f}" for pss in proportional) + " MB",
        ),
    ]


def memory_of(pid: int) -> tuple[float, float, int]:
    """PSS and RSS in MB, and the number of Python processes, of the process and its descendants."""
    sizes = [_sizes(process) for process in descendants(pid) if is_python(process)]
    return sum(pss for pss, _ in sizes) / 1024, sum(rss for _, rss in sizes) / 1024, len(sizes)


def descendants(pid: int) -> list[int]:
    """The process and everything that it started, directly or not."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(entry.name)] = int(fields[1])
    found = [pid]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def is_python(pid: int) -> bool:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name.startswith("python")
    except FileNotFoundError:  # a server's child that has just gone
        return False


def _sizes(pid: int) -> tuple[int, int]:
    sizes: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        key, value, _ = line.split()
        sizes[key] = int(value)
    return sizes["Pss:"], sizes["Rss:"]
