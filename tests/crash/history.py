"""A log with everything in it that read models must get right, written through the executor."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4, uuid5

import psycopg
from psycopg import sql

from adapters.eventstore.log import PostgresEventLog
from adapters.eventstore.mapper import Mapper
from adapters.eventstore.reader import PostgresLogReader
from application import devices, identity
from application.command import Command
from application.devices.device import AnnounceDevice, ReportPresence
from application.devices.link import CloseLink, OpenLink
from application.devices.readings import RecordReadings
from application.executor import CommandExecutor
from application.identity import DisableUser, EnableUser, RegisterUser
from domain.catalogue import CATALOGUE
from domain.devices.device import Status
from domain.devices.part import PartDescription
from domain.devices.readings import Reading
from domain.event import Origin
from projections.registry import READ_MODELS

DEVICES = 40
SENSORS = 3
START = datetime(2026, 1, 14, tzinfo=UTC)
STATUSES: Mapping[str, Status] = {"online": 1, "alert": 2, "offline": 4}


class History:
    """Makes up commands, always the same ones for the same seed. Readings come over MQTT, some of them twice."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._devices = [UUID(int=self._random.getrandbits(128), version=4) for _ in range(DEVICES)]
        self._sent: list[RecordReadings] = []
        self._links: list[OpenLink] = []
        self._clock = 0

    async def write(self, url: str, commands: int) -> None:
        """Records so many commands, in batches as they would come in."""
        async with (
            PostgresEventLog(url, Mapper(CATALOGUE)) as log,
            CommandExecutor(log, {**devices.HANDLERS, **identity.HANDLERS}, _now).running() as executor,
        ):
            for device_id in self._devices:
                await executor.execute(self._announce(device_id), _over("mqtt"))
            left = commands
            while left > 0:
                answers = [executor.submit(self._command(), _over("mqtt")) for _ in range(min(left, 500))]
                left -= len(answers)
                for answer in answers:
                    await answer

    def _command(self) -> Command:
        device_id = self._random.choice(self._devices)
        match self._random.random():
            case chance if chance < 0.80:
                return self._readings(device_id)
            case chance if chance < 0.90:
                word = self._random.choice(list(STATUSES))
                return ReportPresence(device_id=device_id, status=STATUSES[word], word=word, through="mqtt")
            case chance if chance < 0.93:
                return self._link(device_id)
            case chance if chance < 0.97:
                return self._announce(device_id)
        name = f"user-{self._random.randrange(10**12)}"
        return RegisterUser(username=name, password_hash="$argon2id$none")

    def _link(self, device_id: UUID) -> Command:
        """Devices come and go, half of them registered; some come again before they have gone."""
        if self._links and self._random.random() < 0.4:
            gone = self._random.choice(self._links[-50:])
            device_id = UUID(gone.device)
            return CloseLink(
                device=gone.device,
                device_id=device_id if device_id in self._devices else None,
                connection_id=gone.connection_id,
                through="websocket",
                reason="gone",
            )
        opened = OpenLink(
            device=str(self._random.choice((device_id, UUID(int=device_id.int ^ 1)))),
            connection_id=UUID(int=self._random.getrandbits(128), version=4),
            holder=self._random.choice("ab"),
            through="websocket",
            name="Robot",
            type="",
            user_agent="curl",
            remote_address="192.0.2.1",
        )
        self._links.append(opened)
        return opened

    def _readings(self, device_id: UUID) -> RecordReadings:
        if self._sent and self._random.random() < 0.15:
            return self._random.choice(self._sent[-200:])  # QoS 1: once more
        readings = tuple(self._reading(device_id) for _ in range(self._random.choice((1, 1, 1, 5))))
        command = RecordReadings(device_id=device_id, readings=readings)
        self._sent.append(command)
        return command

    def _reading(self, device_id: UUID) -> Reading:
        self._clock += 1
        late = self._random.choice((0, 0, 0, 3600))  # a backlog: older than what came before
        told = self._random.random() < 0.8
        return Reading(
            sensor_id=_part(device_id, "sensor", self._random.randrange(SENSORS)),
            value=float(self._clock),
            value_at=START + timedelta(seconds=self._clock - late) if told else None,
        )

    def _announce(self, device_id: UUID) -> AnnounceDevice:
        return AnnounceDevice(
            device_id=device_id,
            name=f"device {self._random.randrange(5)}",
            sensors=self._parts(device_id, "sensor"),
            actors=self._parts(device_id, "actor"),
        )

    def _parts(self, device_id: UUID, kind: str) -> tuple[PartDescription, ...]:
        return tuple(
            PartDescription(
                id=_part(device_id, kind, n), name=f"{kind} {self._random.randrange(3)}", type="x", data_type_id=1
            )
            for n in range(self._random.choice((SENSORS, SENSORS, SENSORS, SENSORS - 1)))
        )


async def lock_out(url: str, name: str) -> None:
    """An account that is registered, disabled, and enabled again."""
    async with (
        PostgresEventLog(url, Mapper(CATALOGUE)) as log,
        CommandExecutor(log, identity.HANDLERS, _now).running() as executor,
    ):
        await executor.execute(RegisterUser(username=name, password_hash="$argon2id$none"), _over("http"))
        await executor.execute(DisableUser(username=name, reason="test"), _over("system"))
        await executor.execute(EnableUser(username=name), _over("system"))


def reader(url: str) -> PostgresLogReader:
    return PostgresLogReader(url, Mapper(CATALOGUE))


def rows_of_all_tables(url: str) -> dict[str, list[str]]:
    """Every row of every read model, as text, in an order that does not depend on how it came there."""
    tables = [table.name for model in READ_MODELS for table in model.tables]
    with psycopg.connect(url) as connection:
        return {
            name: sorted(
                row[0] for row in connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name)))
            )
            for name in tables
        }


def positions(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT name, position FROM projections").fetchall())


def head(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT coalesce(max(notification_id), 0) FROM events").fetchone()
        return int(row[0]) if row else 0


def _part(device_id: UUID, kind: str, number: int) -> UUID:
    return uuid5(device_id, f"{kind}-{number}")


def _over(source: str) -> Origin:
    return Origin(actor="device:test", source=source, correlation_id=uuid4().hex)  # type: ignore[arg-type]


def _now() -> datetime:
    return datetime.now(UTC)
