"""Logs to export: events as they are stored, at any time, from the samples that must decode for ever."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4, uuid5

import psycopg
import pyarrow.parquet as pq

from adapters.analytics.export import Exporter
from adapters.analytics.manifest import Manifest, read_manifest
from adapters.analytics.schemas import EVENTS
from adapters.analytics.tail import LiveTail
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import LogRow, PostgresLogReader
from adapters.eventstore.shown import shown
from application.ports import NewEvent
from domain.catalogue import CATALOGUE
from domain.event import Envelope, Event
from tests.domain.test_samples import SAMPLES

MAPPER = Mapper(CATALOGUE)
NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
HOUSE = UUID("3814fb88-565c-5dc8-9b91-60d4002b6edc")
TOPICS = sorted(SAMPLES)


class Fact(NamedTuple):
    """Something that happened so many seconds after noon."""

    seconds: float
    aggregate_id: UUID
    event: Event
    actor: str = "system:test"


def append(url: str, *facts: Fact) -> int:
    """Appends them as they are. Returns the position of the last."""
    states = [
        (
            fact.aggregate_id,
            fact.event.topic,
            MAPPER.encode(
                NewEvent(
                    fact.aggregate_id,
                    1,
                    fact.event,
                    Envelope(
                        id=uuid4(),
                        at=NOON + timedelta(seconds=fact.seconds),
                        actor=fact.actor,
                        source="mqtt",
                        correlation_id="c-1",
                    ),
                )
            ),
        )
        for fact in facts
    ]
    return append_stored(url, states)


def append_stored(url: str, states: Sequence[tuple[UUID, str, bytes]]) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT coalesce(max(notification_id), 0) FROM events").fetchone()
        head = int(found[0]) if found else 0
        versions: dict[UUID, int] = dict(
            connection.execute("SELECT originator_id, max(originator_version) FROM events GROUP BY 1").fetchall()
        )
        with connection.cursor().copy("COPY events FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["uuid", "int8", "text", "bytea", "int8"])
            for aggregate_id, topic, state in states:
                head += 1
                versions[aggregate_id] = versions.get(aggregate_id, 0) + 1
                copy.write_row((aggregate_id, versions[aggregate_id], topic, state, head))
    return head


def sampled(topic: str, number: int, hours: int = 0) -> tuple[UUID, str, bytes]:
    """The sample of the topic as the event of some aggregate, so many hours later."""
    stored = json.loads(SAMPLES[topic])
    stored["id"] = str(uuid5(HOUSE, f"event-{number}"))
    stored["at"] = (NOON + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
    return uuid5(HOUSE, f"aggregate-{number % 3}"), topic, json.dumps(stored).encode()


async def export(url: str, directory: Path, events_at_once: int = 1_000) -> Manifest:
    return await Exporter(url, MAPPER, directory, events_at_once=events_at_once).run()


def exported(directory: Path, table: str = EVENTS) -> list[dict[str, Any]]:
    """The rows of a table, in the order of the log."""
    manifest = read_manifest(directory)
    assert manifest is not None
    rows = [row for path in manifest.paths(table) for row in pq.ParquetFile(directory / path).read().to_pylist()]
    return sorted(rows, key=lambda row: row["position"])


async def log_as_shown(url: str) -> list[dict[str, Any]]:
    """What whoever may read the log sees of it."""
    async with PostgresLogReader(url, MAPPER) as reader:
        rows: list[LogRow] = []
        while more := await reader.read_rows(rows[-1].position if rows else 0, 10_000):
            rows += more
    return [json.loads(shown(row, MAPPER).json) for row in rows]


def as_shown(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `events` in the same form."""
    at = row["at"].isoformat().replace("+00:00", "Z")
    return {**row, "at": at, "data": json.loads(row["data"])}


def live_tail(reader: PostgresLogReader, longest: int = 100_000) -> LiveTail:
    return LiveTail(reader, MAPPER, longest)
