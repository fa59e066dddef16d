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
from typing import ClassVar, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from domain.devices.reading import ReadingCorrected, ReadingRemoved
from domain.devices.readings import Reading, ReadingsRecorded
from domain.event import Recorded
from domain.identifiers import VALUES_PER_EVENT
from projections.as_of import POSITION
from projections.batch import Batch
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


class _Arrived(NamedTuple):
    id: int
    sensor_id: UUID
    value: float
    value_at: datetime
    received_at: datetime


class ReadingHistory:
    """The read model `readings`.

    It remembers each sensor's newest time, since a reading newer than that cannot be a repetition, and only the
    others need to be looked up.
    """

    name: ClassVar[str] = "readings"
    version: ClassVar[int] = 2
    tables: ClassVar[Sequence[sa.Table]] = (READINGS, READING_VERSIONS, READING_CUTOFFS)

    def __init__(self) -> None:
        self._newest: dict[UUID, datetime] = {}

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
        await self._remember({reading.sensor_id for one in batch for reading in _readings(one)}, to)
        arrived, doubtful = self._sort_out(batch)
        repeated = await self._stored(doubtful, to) if doubtful else set()
        async with to.connection.cursor().copy(f"COPY {to.name(READINGS)} FROM STDIN (FORMAT binary)".encode()) as copy:
            # Several times cheaper than text for us, and twice as fast for PostgreSQL.
            copy.set_types(("int8", "uuid", "float8", "timestamptz", "timestamptz"))
            for row in arrived:
                if row.id not in repeated:
                    await copy.write_row(row)

    def _sort_out(self, batch: Sequence[Recorded]) -> tuple[list[_Arrived], list[_Arrived]]:
        """All readings of the batch but those that repeat another of it, and which of them may be stored already."""
        arrived: list[_Arrived] = []
        doubtful: list[_Arrived] = []
        seen: set[tuple[UUID, datetime]] = set()
        newest = self._newest
        for recorded in batch:
            if recorded.event.topic == SENSOR_REMOVED:
                seen = {one for one in seen if one[0] != recorded.aggregate_id}
                continue
            received_at = recorded.envelope.at
            id = recorded.position * VALUES_PER_EVENT
            identified = recorded.envelope.source == "mqtt"
            for index, reading in enumerate(_readings(recorded)):
                sensor_id = reading.sensor_id
                value_at = reading.value_at or received_at
                row = _Arrived(id + index, sensor_id, reading.value, value_at, received_at)
                if value_at > newest[sensor_id]:
                    newest[sensor_id] = value_at
                elif identified and reading.value_at is not None:
                    if (sensor_id, value_at) in seen:
                        continue
                    doubtful.append(row)
                seen.add((sensor_id, value_at))
                arrived.append(row)
        return arrived, doubtful

    async def _remember(self, sensors: Iterable[UUID], to: Target) -> None:
        """Makes sure that the newest stored time of every one of these sensors is known."""
        unknown = [sensor_id for sensor_id in sensors if sensor_id not in self._newest]
        if not unknown:
            return
        if len(self._newest) + len(unknown) > REMEMBERED_SENSORS:
            self._newest.clear()
            unknown = list(sensors)
        # Of what was corrected or removed, the recorded time counts. A time that is too new costs a look, no more.
        newest = "(SELECT value_at FROM {} WHERE sensor_id = s.id ORDER BY value_at DESC LIMIT 1)"
        query = (
            f"SELECT s.id, greatest({newest.format(to.name(READINGS))}, {newest.format(to.name(READING_VERSIONS))})"
            " FROM unnest(%s::uuid[]) AS s(id)"
        )
        cursor = await to.connection.execute(query.encode(), (unknown,), prepare=True)
        self._newest.update({row[0]: row[1] or _LONG_AGO for row in await cursor.fetchall()})

    async def _stored(self, rows: Sequence[_Arrived], to: Target) -> set[int]:
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
        columns = ([row.id for row in rows], [row.sensor_id for row in rows], [row.value_at for row in rows])
        cursor = await to.connection.execute(query.encode(), columns, prepare=True)
        return {row[0] for row in await cursor.fetchall()}


async def _cut_off(removed: Sequence[Recorded], to: Target) -> None:
    async with to.connection.cursor().copy(f"COPY {to.name(READING_CUTOFFS)} FROM STDIN".encode()) as copy:
        for one in removed:
            await copy.write_row((one.aggregate_id, one.position, one.envelope.at, one.envelope.actor))


def _readings(recorded: Recorded) -> Sequence[Reading]:
    event = recorded.event
    return event.readings if isinstance(event, ReadingsRecorded) else ()
