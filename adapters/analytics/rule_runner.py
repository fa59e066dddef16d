"""The program that runs history through a rule of somebody else's and can do nothing else.

It reads the rule, puts up its walls, and only then runs the first line of it. What a rule may import is imported
before, since no file can be read afterwards.
"""

import bisect
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import heapq
import io
import itertools
import json
import math
import operator
import os
import random
import re
import statistics
import string
import sys
import traceback
import typing
import uuid
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import msgspec

from adapters.analytics.thresholds import Thresholds
from adapters.analytics.walls import die_with_parent, limit, raise_walls
from adapters.analytics.wire import ReplayOutcome, ReplayRequest, Would, read_frame, write_frame

# Beside what the rule may take: Python and what is imported.
BESIDE = 512 * 1024**2

FOR_RULES = (
    *(bisect, collections, dataclasses, datetime, decimal, enum, fractions, functools, heapq, io, itertools, json),
    *(math, operator, random, re, statistics, string, typing, uuid),
)

Evolve = Callable[[Any, dict[str, Any]], Any]

_decode_events = msgspec.json.Decoder(list[dict[str, Any]]).decode


def main() -> None:
    die_with_parent()
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # What a rule prints is for nobody.
    sys.stdout = sys.stderr = io.StringIO()
    request = msgspec.json.decode(read_frame(source), type=ReplayRequest)
    limit(request.memory + BESIDE, request.seconds)
    if missing := raise_walls((), threads=False):
        outcome = ReplayOutcome(refused="no_walls", message=f"This machine has no walls around {' and '.join(missing)}")
    else:
        outcome = _replayed(request, source)
    try:
        told = msgspec.json.encode(outcome)
    except (TypeError, ValueError, RecursionError) as wrong:
        told = msgspec.json.encode(ReplayOutcome(refused="rule", message=f"What the rule says is no JSON: {wrong}"))
    write_frame(sink, told)
    sink.flush()


def _replayed(request: ReplayRequest, source: BinaryIO) -> ReplayOutcome:
    outcome = ReplayOutcome()
    event: dict[str, Any] = {}
    state: Any = None
    try:
        evolve = _rule(request)
        for event in _events(source):
            outcome.events += 1
            made = evolve(state, event)
            if not isinstance(made, tuple):
                state = made
                continue
            state, outcomes = made
            for what in outcomes:
                outcome.would_count += 1
                if len(outcome.would) < request.most_outcomes:
                    outcome.would.append(Would(event.get("position", 0), event.get("at", ""), what))
    except MemoryError:
        return ReplayOutcome(refused="limit", message="The rule takes more memory than it may")
    except Exception as error:  # noqa: BLE001  # whatever a rule raises is told to whoever wrote it
        at = f" at position {event['position']}" if event else ""
        return ReplayOutcome(refused="rule", message=f"The rule failed{at}: {_lines_of_rule(error)}")
    outcome.state = state
    return outcome


def _rule(request: ReplayRequest) -> Evolve:
    if request.kind == "thresholds":
        return msgspec.json.decode(request.rule, type=Thresholds).evolve
    names: dict[str, Any] = {"__name__": "rule"}
    exec(compile(request.rule, "rule", "exec"), names)
    evolve = names.get("evolve")
    if not callable(evolve):
        raise TypeError("a rule has a function evolve(state, event)")
    return typing.cast("Evolve", evolve)


def _events(source: BinaryIO) -> Iterator[dict[str, Any]]:
    """An empty frame is the end of history."""
    while page := read_frame(source):
        yield from _decode_events(page)


def _lines_of_rule(error: Exception) -> str:
    """What went wrong and in which line, without ours."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "rule"]
    where = f" (line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {error}{where}"


if __name__ == "__main__":
    main()
