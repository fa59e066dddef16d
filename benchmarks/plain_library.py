"""The eventsourcing library as its documentation uses it: what our own write path and projections are measured against.

An aggregate class with an `@event` method, an application that loads, acts and saves, a projection that writes one
row an event, PostgreSQL throughout, a connection pool as large as the threads that use it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, LiteralString, cast
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import IntegrityError, Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.utils import get_topic
from psycopg.sql import SQL

ATTEMPTS = 5


def environment(url: str) -> Mapping[str, str]:
    """How the library is told where its database is."""
    parts = urlsplit(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.path.strip("/"),
        "POSTGRES_HOST": str(parts.hostname),
        "POSTGRES_PORT": str(parts.port),
        "POSTGRES_USER": str(parts.username),
        "POSTGRES_PASSWORD": str(parts.password),
        "POSTGRES_POOL_SIZE": "10",
        "POSTGRES_MAX_OVERFLOW": "10",
        "POSTGRES_PRE_PING": "n",
    }


class SensorLog(Aggregate):
    """One sensor's readings."""

    def __init__(self, sensor_id: UUID) -> None:
        self.sensor_id = sensor_id
        self.count = 0

    @staticmethod
    def create_id(sensor_id: UUID) -> UUID:
        return uuid5(NAMESPACE_URL, f"sensor/{sensor_id}")

    class Recorded(Aggregate.Event):
        sensor_id: UUID
        value: float
        value_at: datetime

    @event(Recorded)
    def record(self, sensor_id: UUID, value: float, value_at: datetime) -> None:
        self.count += 1


class PlainReadings(Application[UUID]):
    """Load, act, save; a conflict is tried again."""

    def add(self, sensor_id: UUID) -> None:
        self.save(SensorLog(sensor_id=sensor_id))

    def knows(self, sensor_id: UUID) -> bool:
        try:
            self.repository.get(SensorLog.create_id(sensor_id))
        except AggregateNotFoundError:
            return False
        return True

    def record(self, sensor_id: UUID, value: float, value_at: datetime | None) -> int:
        """Returns the reading's position in the log."""
        for _ in range(ATTEMPTS - 1):
            try:
                return self._record_once(sensor_id, value, value_at)
            except IntegrityError:
                continue
        return self._record_once(sensor_id, value, value_at)

    def _record_once(self, sensor_id: UUID, value: float, value_at: datetime | None) -> int:
        log: SensorLog = self.repository.get(SensorLog.create_id(sensor_id))
        log.record(sensor_id, value, value_at or datetime.now(UTC))
        return self.save(log)[-1].notification.id

    def fill(self, sensors: list[UUID], events: int) -> None:
        """So many readings in the log, in few transactions."""
        logs = [SensorLog(sensor_id=sensor_id) for sensor_id in sensors]
        for number in range(events):
            log = logs[number % len(logs)]
            log.record(log.sensor_id, number / 7, datetime.now(UTC))
        self.save(*logs)


_PLAIN_TABLE: tuple[LiteralString, ...] = (
    "CREATE TABLE IF NOT EXISTS plain_readings (id bigint PRIMARY KEY, sensor_id uuid NOT NULL,"
    " value double precision NOT NULL, value_at timestamptz NOT NULL, received_at timestamptz NOT NULL)",
    "CREATE INDEX IF NOT EXISTS plain_readings_by_sensor ON plain_readings (sensor_id, value_at DESC, id DESC)",
    "CREATE INDEX IF NOT EXISTS plain_readings_by_time ON plain_readings (value_at DESC, id DESC)",
)


class PlainView(PostgresTrackingRecorder):
    """Rows like those of our read model `readings`, with the same indexes."""

    def __init__(self, datastore: PostgresDatastore, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        for statement in _PLAIN_TABLE:
            self.sql_create_statements.append(SQL(statement).format())

    def add(self, recorded: SensorLog.Recorded, tracking: Tracking) -> None:
        row = (tracking.notification_id, recorded.sensor_id, recorded.value, recorded.value_at, recorded.timestamp)
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(SQL("INSERT INTO plain_readings VALUES (%s, %s, %s, %s, %s)"), row, prepare=True)


class PlainProjection(Projection[PlainView]):
    """One row an event, and when the first and the newest were done."""

    name = "plain_projection"
    topics = (get_topic(SensorLog.Recorded),)

    def __init__(self, view: PlainView) -> None:
        super().__init__(view)
        self.started = 0.0
        self.seconds = 0.0
        self.rows = 0

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.started = self.started or perf_counter()
        self.view.add(domain_event, tracking)
        self.rows += 1
        self.seconds = perf_counter() - self.started


def project_all(url: str, last: int) -> PlainProjection:
    """Runs the library's projection over its whole log, up to position `last`."""
    runner = ProjectionRunner(
        application_class=PlainReadings, projection_class=PlainProjection, view_class=PlainView, env=environment(url)
    )
    with runner:
        runner.wait(last, timeout=300)
        return cast("PlainProjection", runner.projection)
