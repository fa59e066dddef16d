"""The thirteen documented figures of the server, counted for real."""

import asyncio
import resource
import threading
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from application.ports import Totals
from domain.value import Value

MIB = 1024 * 1024


class StatusMetrics(Value, omit_defaults=False):
    """In the document's order. Memory in MiB, uptime in seconds."""

    server_current_state: str
    connections: int
    uptime: int
    received_messages: int
    received_messages_per_second: int
    sent_messages: int
    sent_messages_per_second: int
    commands_waiting: int
    queries_waiting: int
    go_routines: int
    system_memory: int
    allocated_memory: int
    heap_allocated_memory: int


class TrafficMetrics(Value, omit_defaults=False):
    """Of one device, seen from here: received is what it sent."""

    uptime: int
    received_messages: int
    received_messages_per_second: int
    sent_messages: int
    sent_messages_per_second: int


# Only these have a unit. The documents call a MiB `Mb`.
_UNITS = {"uptime": "secs", "system_memory": "Mb", "allocated_memory": "Mb", "heap_allocated_memory": "Mb"}

STATUS_UNITS = {name: _UNITS.get(name, "") for name in StatusMetrics.__struct_fields__}
TRAFFIC_UNITS = {name: _UNITS.get(name, "") for name in TrafficMetrics.__struct_fields__}


class Memory(NamedTuple):
    """Bytes that this process has of the machine's memory, and those of them that it allocated itself."""

    resident: int
    allocated: int


def status_metrics(state: str, connections: int, totals: Totals, started: float) -> StatusMetrics:
    """`started` in seconds of `time.monotonic`."""
    memory = memory_of_this_process()
    return StatusMetrics(
        server_current_state=state,
        connections=connections,
        uptime=int(monotonic() - started),
        received_messages=totals.received,
        received_messages_per_second=totals.received_per_second,
        sent_messages=totals.sent,
        sent_messages_per_second=totals.sent_per_second,
        commands_waiting=totals.commands_waiting,
        queries_waiting=totals.queries_waiting,
        go_routines=len(asyncio.all_tasks()) + threading.active_count(),
        system_memory=memory.resident // MIB,
        allocated_memory=memory.allocated // MIB,
        heap_allocated_memory=memory.allocated // MIB,
    )


def memory_of_this_process() -> Memory:
    """Where there is no /proc: the most that it ever had, for all of them."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return Memory(most, most)
    kilobytes = {
        name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if "kB" in rest
    }
    resident = kilobytes.get("VmRSS", 0) * 1024
    return Memory(resident, kilobytes.get("RssAnon", 0) * 1024 or resident)
