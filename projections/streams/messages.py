"""Messages, read straight from the log: what was acknowledged can be read, and there is no second copy of it
(docs/adr/0019). A partition is a stream of the log, so what comes next is next to each other in its primary key."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

import msgspec

from application.streams.messages import Batch, Place, Run
from domain.identifiers import partition_id
from domain.streams.partition import MessagesProduced, Offsets
from domain.streams.topic import LOG_TOPICS, is_log
from domain.value import Value
from projections.database import Database
from projections.positions import log_head

# Of one partition at a time; small messages that came one by one.
ENTRIES = 2_000
# So far a read looks through the log for events of one context; then it goes on from there the next time.
SCAN = 20_000
HINTS = 1_000

# The lengths of values that lie beside their rows are known without reading them.
_ENTRIES = b"""
    SELECT w, version, state FROM (
        SELECT w, version, state, sum(octet_length(state)) OVER (ORDER BY w, version) - octet_length(state) AS before
        FROM (
            SELECT places.w, e.originator_version AS version, e.state
            FROM unnest(%(streams)b::uuid[], %(entries)b::bigint[]) WITH ORDINALITY AS places(stream, entries, w),
                LATERAL (
                    SELECT originator_version, state FROM events
                    WHERE originator_id = places.stream AND originator_version > places.entries
                    ORDER BY originator_version LIMIT %(limit)b
                ) e
        ) found
    ) measured WHERE before < %(largest)b ORDER BY w, version
"""
_LOG = b"""
    SELECT position, stream, version, topic, state, before FROM (
        SELECT notification_id AS position, originator_id AS stream, originator_version AS version, topic, state,
            sum(octet_length(state)) OVER (ORDER BY notification_id) - octet_length(state) AS before
        FROM events
        WHERE notification_id >= %(first)b AND notification_id < %(end)b
            AND starts_with(topic, %(prefix)b) AND originator_id IS DISTINCT FROM %(but)b
    ) measured WHERE before < %(largest)b ORDER BY position
"""


ShownEvent = Callable[[int, UUID, int, str, bytes], tuple[datetime, bytes]]


class Entry(Value):
    """As much of what is stored as reading it takes."""

    at: datetime
    data: MessagesProduced


decode_entry = msgspec.json.Decoder(Entry).decode


class MessageQueries:
    """Fills MessageLog. `shown` makes of an event of the log, in the order of the columns of its row, what the topics
    that hold it show: when it was, and its JSON."""

    def __init__(self, database: Database, shown: ShownEvent) -> None:
        self._database = database
        self._shown = shown
        self._hints: dict[tuple[str, UUID | None], tuple[int, int]] = {}

    async def read(self, places: Sequence[Place], largest: int, *, but: UUID | None = None) -> Sequence[Batch]:
        batches: list[Batch] = []
        if messages := [place for place in places if not is_log(place.name)]:
            batches += await self._read_messages(messages, largest)
        for place in places:
            if is_log(place.name) and (batch := await self._read_log(place, largest, but)):
                batches.append(batch)
        return batches

    async def _read_messages(self, places: Sequence[Place], largest: int) -> Sequence[Batch]:
        values = {
            "streams": [partition_id(name, partition) for name, partition, _ in places],
            "entries": [at.entries for _, _, at in places],
            "limit": ENTRIES,
            "largest": largest,
        }
        rows = await self._database.fetch(_ENTRIES, values)
        found = groupby(rows, key=lambda row: row[0])
        return [_batch(places[w - 1], [decode_entry(state) for _, _, state in of_place]) for w, of_place in found]

    async def _read_log(self, place: Place, largest: int, but: UUID | None) -> Batch | None:
        """What was looked through in vain is remembered here: it is no message, so nobody records it."""
        key = (place.name, but)
        begun, first = self._hints.get(key, (0, 0))
        if begun != place.at.offset:
            first = max(place.at.offset, 1)
        head = await log_head(self._database)
        while first <= head:
            values: Mapping[str, object] = {
                "first": first,
                "end": first + SCAN,  # added here, since PostgreSQL takes a small number for one of 16 bits
                "prefix": LOG_TOPICS[place.name],
                "but": but,
                "largest": largest,
            }
            rows = await self._database.fetch(_LOG, values)
            if rows:
                runs = _runs([self._run(*row[:5]) for row in rows])
                last = runs[-1]
                return Batch(place.name, 0, place.at, Offsets(offset=last.offset + last.size), runs)
            first = min(first + SCAN, head + 1)
            if len(self._hints) > HINTS:
                self._hints.clear()
            self._hints[key] = (place.at.offset, first)
        return None

    def _run(self, position: int, stream: UUID, version: int, topic: str, state: bytes) -> Run:
        at, shown = self._shown(position, stream, version, topic, state)
        return Run(position, 1, shown, at)


def _batch(place: Place, entries: Sequence[Entry]) -> Batch:
    """Whole entries, but for the first: somebody may have sought a place within it."""
    runs = [_values(entry, place.at.offset) for entry in entries]
    last = entries[-1].data
    until = Offsets(offset=last.offset + last.count, entries=last.entry)
    return Batch(place.name, place.partition, place.at, until, _runs([run for run in runs if run.size]))


def _values(entry: Entry, first: int) -> Run:
    """Without those before `first`. The values of a day that was closed are gone."""
    data, array = entry.data, bytes(entry.data.values)
    if data.offset >= first:
        inner = array[1:-1]
        return Run(data.offset, data.count if inner else 0, inner, entry.at)
    kept = msgspec.json.decode(array, type=list[msgspec.Raw])[first - data.offset :]
    return Run(first, len(kept), b",".join(map(bytes, kept)), entry.at)


def _runs(runs: Sequence[Run]) -> Sequence[Run]:
    """Those that follow one another without a gap, and were taken at the same time, are one."""
    joined: list[list[Run]] = []
    for run in runs:
        if joined and joined[-1][-1].at == run.at and joined[-1][-1].offset + joined[-1][-1].size == run.offset:
            joined[-1].append(run)
        else:
            joined.append([run])
    return [
        Run(many[0].offset, sum(run.size for run in many), b",".join([run.values for run in many]), many[0].at)
        for many in joined
    ]
