"""Every reading, with the device's time and ours: the tables and what events do to them.

The queries stand in `reading_queries.py`: there are as many of them as there is here, and whoever changes what a
reading is has no need to read how it can be asked for.

`readings` holds what is true now, millions of rows that are written once. The few that are corrected or removed have
all their versions in `reading_versions`. A sensor that is removed takes its readings with it: instead of touching
them all, `reading_cutoffs` says that what was recorded of it before that position is no longer shown.

A reading that a device sends twice (QoS 1, or again after a reconnect) is one reading: over MQTT the sensor and
the device's own time identify it (contract 3.5), and the first one stands. It is the time that was recorded that
counts, whatever became of the reading later; only what the sensor's removal has hidden may come again.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from domain.devices.reading import ReadingCorrected, ReadingRemoved
from domain.devices.readings import Reading, ReadingsRecorded
from domain.event import Recorded
from domain.identifiers import VALUES_PER_EVENT
from projections.as_of import POSITION
from projections.batch import Batch
from projections.copying import BEGIN, END, Column, microseconds, numbers, rows
from projections.database import METADATA
from projections.devices.reading_versions import READING_VERSIONS, apply_amendments
from projections.readmodel import Target

READINGS = sa.Table(
    "readings",
    METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("sensor_id", sa.Uuid, nullable=False),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("value_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    info={
        "as_of": f"""
            SELECT id, sensor_id, value, value_at, received_at FROM public.readings r
            WHERE id < ({POSITION} + 1) * {VALUES_PER_EVENT}
                AND NOT EXISTS (SELECT FROM public.reading_versions v WHERE v.id = r.id)
            UNION ALL
            SELECT id, sensor_id, value, value_at, at FROM public.reading_versions
            WHERE valid_from <= {POSITION} AND (valid_to IS NULL OR valid_to > {POSITION}) AND what <> 'removed'
        """
    },
)

# A reading is shown when its id is at least the last position here times VALUES_PER_EVENT.
READING_CUTOFFS = sa.Table(
    "reading_cutoffs",
    METADATA,
    sa.Column("sensor_id", sa.Uuid, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    info={"as_of": f"SELECT * FROM public.reading_cutoffs WHERE position <= {POSITION}"},
)

SENSOR_REMOVED = "devices.sensor.removed.v1"

# How many sensors' newest times are remembered; forgetting one costs a look into the table.
REMEMBERED_SENSORS = 200_000

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


_Row = tuple[int, int, float, datetime, datetime]
"""Id, sensor, value, its time, and when it was received. A sensor as a number: comparing ids takes several times as
long."""


class ReadingHistory:
    """The read model `readings`.

    It remembers each sensor's newest time, since a reading newer than that cannot be a repetition, and only the
    others need to be looked up.
    """

    name: ClassVar[str] = "readings"
    version: ClassVar[int] = 2
    tables: ClassVar[Sequence[sa.Table]] = (READINGS, READING_VERSIONS, READING_CUTOFFS)

    def __init__(self) -> None:
        self._newest: dict[int, datetime] = {}

    async def apply(self, batch: Batch, to: Target) -> None:
        """Corrections come last: whether a reading repeats another is asked of what was recorded, and never of what
        was made of it, so that it makes no difference how the log is cut into batches."""
        removed = batch.of(SENSOR_REMOVED)
        if removed:
            await _cut_off(removed, to)
        if batch.of(ReadingsRecorded):
            await self._store(batch.of(ReadingsRecorded, SENSOR_REMOVED), to)
        if amendments := batch.of(ReadingCorrected, ReadingRemoved):
            await apply_amendments(amendments, to, READINGS)

    async def _store(self, batch: Sequence[Recorded], to: Target) -> None:
        await self._remember({reading.sensor_id.int for one in batch for reading in _readings(one)}, to)
        arrived, doubtful = self._sort_out(batch)
        repeated = await self._stored(doubtful, to) if doubtful else set()
        stored = [row for row in arrived if row[0] not in repeated] if repeated else arrived
        async with to.connection.cursor().copy(f"COPY {to.name(READINGS)} FROM STDIN (FORMAT binary)".encode()) as copy:
            await copy.write(_copied(stored))

    def _sort_out(self, batch: Sequence[Recorded]) -> tuple[list[_Row], list[_Row]]:
        """All readings of the batch but those that repeat another of it, and which of them may be stored already."""
        arrived: list[_Row] = []
        doubtful: list[_Row] = []
        # Which there were in the batch until now. Most batches never ask.
        seen: set[tuple[int, datetime]] | None = None
        newest = self._newest
        for recorded in batch:
            if recorded.event.topic == SENSOR_REMOVED:
                removed = recorded.aggregate_id.int
                seen = {one for one in (_times(arrived) if seen is None else seen) if one[0] != removed}
                continue
            envelope = recorded.envelope
            received_at, identified = envelope.at, envelope.source == "mqtt"
            for id, reading in enumerate(_readings(recorded), recorded.position * VALUES_PER_EVENT):
                sensor = reading.sensor_id.int
                value_at = reading.value_at or received_at
                row = (id, sensor, reading.value, value_at, received_at)
                if value_at > newest[sensor]:
                    newest[sensor] = value_at
                elif identified and reading.value_at is not None:
                    seen = _times(arrived) if seen is None else seen
                    if (sensor, value_at) in seen:
                        continue
                    doubtful.append(row)
                if seen is not None:
                    seen.add((sensor, value_at))
                arrived.append(row)
        return arrived, doubtful

    async def _remember(self, sensors: set[int], to: Target) -> None:
        """Makes sure that the newest stored time of every one of these sensors is known."""
        unknown = sensors - self._newest.keys()
        if not unknown:
            return
        if len(self._newest) + len(unknown) > REMEMBERED_SENSORS:
            self._newest.clear()
            unknown = sensors
        # Of what was corrected or removed, the recorded time counts. A time that is too new costs a look, no more.
        newest = "(SELECT value_at FROM {} WHERE sensor_id = s.id ORDER BY value_at DESC LIMIT 1)"
        query = (
            f"SELECT s.id, greatest({newest.format(to.name(READINGS))}, {newest.format(to.name(READING_VERSIONS))})"
            " FROM unnest(%s::uuid[]) AS s(id)"
        )
        cursor = await to.connection.execute(query.encode(), ([UUID(int=id) for id in unknown],), prepare=True)
        self._newest.update({row[0].int: row[1] or _LONG_AGO for row in await cursor.fetchall()})

    async def _stored(self, rows: Sequence[_Row], to: Target) -> set[int]:
        """Which of these rows repeat a stored reading, by their ids."""
        versions = to.name(READING_VERSIONS)
        query = f"""
            SELECT n.id FROM (
                SELECT id, sensor_id, value_at, coalesce((
                    SELECT max(c.position) FROM {to.name(READING_CUTOFFS)} c
                    WHERE c.sensor_id = a.sensor_id AND c.position < a.id / {VALUES_PER_EVENT}
                ), 0) * {VALUES_PER_EVENT} AS since
                FROM unnest(%s::bigint[], %s::uuid[], %s::timestamptz[]) AS a(id, sensor_id, value_at)
            ) n
            WHERE EXISTS (
                SELECT FROM {to.name(READINGS)} r
                WHERE r.sensor_id = n.sensor_id AND r.value_at = n.value_at AND r.id >= n.since
                AND NOT EXISTS (SELECT FROM {versions} v WHERE v.id = r.id)
            ) OR EXISTS (
                SELECT FROM {versions} v
                WHERE v.sensor_id = n.sensor_id AND v.value_at = n.value_at AND v.id >= n.since AND v.what = 'recorded'
            )
            """
        columns = ([row[0] for row in rows], [UUID(int=row[1]) for row in rows], [row[3] for row in rows])
        cursor = await to.connection.execute(query.encode(), columns, prepare=True)
        return {row[0] for row in await cursor.fetchall()}


async def _cut_off(removed: Sequence[Recorded], to: Target) -> None:
    async with to.connection.cursor().copy(f"COPY {to.name(READING_CUTOFFS)} FROM STDIN".encode()) as copy:
        for one in removed:
            await copy.write_row((one.aggregate_id, one.position, one.envelope.at, one.envelope.actor))


def _times(arrived: Iterable[_Row]) -> set[tuple[int, datetime]]:
    return {(sensor, value_at) for _, sensor, _, value_at, _ in arrived}


def _copied(arrived: Sequence[_Row]) -> bytes:
    ids, sensors, values, value_at, received_at = zip(*arrived, strict=True) if arrived else ((),) * 5
    made = rows(
        numbers("q", ids),
        Column(16, b"".join([sensor.to_bytes(16, "big") for sensor in sensors])),
        numbers("d", values),
        numbers("q", map(microseconds, value_at)),
        numbers("q", map(microseconds, received_at)),
    )
    return BEGIN + made + END


def _readings(recorded: Recorded) -> Sequence[Reading]:
    event = recorded.event
    return event.readings if isinstance(event, ReadingsRecorded) else ()
