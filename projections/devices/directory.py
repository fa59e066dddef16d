"""The registry of the fleet: devices, their sensors and their actors."""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from domain.devices.actor import ACTOR_EVENTS
from domain.devices.device import (
    DeviceDiscovered,
    DeviceExternallyIdentified,
    DeviceInventoryAnnounced,
    DeviceRedescribed,
    DeviceRegistered,
    DeviceRemoved,
    DeviceStatusChanged,
)
from domain.devices.part import PartAdded, PartMoved, PartRedescribed, PartRemoved, PartRetired, PartRevived
from domain.devices.sensor import SENSOR_EVENTS
from domain.event import Event, Recorded
from projections.batch import Batch
from projections.database import Database
from projections.present_lookup import PresentLookup
from projections.readmodel import Target
from projections.versioned import Row, VersionedRows, versioned_table

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

DEVICES = versioned_table(
    "devices",
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("location", sa.Text, nullable=False),
    sa.Column("status_id", sa.SmallInteger, nullable=False),
    sa.Column("mac_address", sa.Text),
    sa.Column("external_id", sa.Text),
    sa.Column("announced", sa.Boolean, nullable=False),
)


def _parts(name: str) -> sa.Table:
    return versioned_table(
        name,
        sa.Column("device_id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("data_type_id", sa.BigInteger, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("retired", sa.Boolean, nullable=False),
    )


SENSORS = _parts("sensors")
ACTORS = _parts("actors")

_DEVICE_EVENTS = (
    DeviceDiscovered,
    DeviceRegistered,
    DeviceRedescribed,
    DeviceInventoryAnnounced,
    DeviceExternallyIdentified,
    DeviceStatusChanged,
    DeviceRemoved,
)


class DeviceDirectory:
    """The read model `directory`."""

    name: ClassVar[str] = "directory"
    version: ClassVar[int] = 3
    tables: ClassVar[Sequence[sa.Table]] = (DEVICES, SENSORS, ACTORS)

    def __init__(self) -> None:
        devices = VersionedRows(DEVICES, _evolve_device)
        sensors = VersionedRows(SENSORS, _evolve_part)
        actors = VersionedRows(ACTORS, _evolve_part)
        self._rows_of: dict[type[Event], VersionedRows] = {
            **dict.fromkeys(_DEVICE_EVENTS, devices),
            **dict.fromkeys(SENSOR_EVENTS.all, sensors),
            **dict.fromkeys(ACTOR_EVENTS.all, actors),
        }

    async def apply(self, batch: Batch, to: Target) -> None:
        concerned: dict[VersionedRows, list[Recorded]] = defaultdict(list)
        for recorded in batch.of(*self._rows_of):
            concerned[self._rows_of[type(recorded.event)]].append(recorded)
        for rows, events in concerned.items():
            await rows.apply(events, to)


def _evolve_device(row: Row | None, recorded: Recorded) -> Row | None:
    at = recorded.envelope.at
    match recorded.event:
        case DeviceDiscovered() as event:
            return _new_device(recorded, event, status_id=1, mac_address=event.mac_address, announced=True)
        case DeviceRegistered() as event:
            return _new_device(recorded, event, status_id=event.status, mac_address=None, announced=False)
        case DeviceRedescribed() as event if row:
            return {
                **row,
                "name": event.name,
                "description": event.description,
                "location": event.location,
                "mac_address": event.mac_address,
                "updated_at": at,
            }
        case DeviceInventoryAnnounced() if row and not row["announced"]:
            return {**row, "announced": True}
        case DeviceExternallyIdentified() as event if row:
            return {**row, "external_id": event.external_id, "updated_at": at}
        case DeviceStatusChanged() as event if row:
            return {**row, "status_id": event.status, "updated_at": at}
        case DeviceRemoved():
            return None
    return row


def _new_device(recorded: Recorded, event: DeviceDiscovered | DeviceRegistered, **more: Any) -> Row:
    return {
        "id": recorded.aggregate_id,
        "name": event.name,
        "description": event.description,
        "location": event.location,
        "external_id": None,
        "created_at": recorded.envelope.at,
        "updated_at": recorded.envelope.at,
        **more,
    }


def _evolve_part(row: Row | None, recorded: Recorded) -> Row | None:
    at = recorded.envelope.at
    match recorded.event:
        case PartAdded() as event:
            return {
                "id": recorded.aggregate_id,
                "device_id": event.device_id,
                "name": event.name,
                "type": event.type,
                "data_type_id": event.data_type_id,
                "origin": event.origin,
                "retired": False,
                "created_at": at,
                "updated_at": at,
            }
        case PartRedescribed() as event if row:
            described = {"name": event.name, "type": event.type, "data_type_id": event.data_type_id}
            return {**row, **described, "updated_at": at}
        case PartRetired() if row:
            return {**row, "retired": True, "updated_at": at}
        case PartRevived() if row:
            return {**row, "retired": False, "updated_at": at}
        case PartMoved() as event if row:
            return {**row, "device_id": event.device_id, "origin": "api", "updated_at": at}
        case PartRemoved():
            return None
    return row


class DeviceRow(NamedTuple):
    id: UUID
    name: str
    description: str
    location: str
    status_id: int
    created_at: datetime
    updated_at: datetime


class PartRow(NamedTuple):
    """A sensor or an actor."""

    id: UUID
    device_id: UUID
    name: str
    type: str
    data_type_id: int
    created_at: datetime
    updated_at: datetime


class Directory:
    """Queries. Lists are ordered by creation, then id, and hold what is in service now."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._devices = PresentLookup(self._find_devices)
        self._sensors = PresentLookup(self._find_sensors)
        self._actors = PresentLookup(self._find_actors)
        self._called = PresentLookup(self._identify)

    async def list_devices(self) -> list[DeviceRow]:
        return [DeviceRow._make(row) for row in await self._database.all(_LIST_DEVICES)]

    async def find_device(self, id: UUID) -> DeviceRow | None:
        return await self._devices.find(id)

    async def find_by_external_id(self, text: str) -> DeviceRow | None:
        """The device that other systems call so."""
        row = await self._database.one(_FIND_BY_EXTERNAL_ID, external_id=text)
        return DeviceRow._make(row) if row else None

    async def identify(self, text: str) -> UUID | None:
        """The device that has this id, or that others call so."""
        return await self._called.find(text)

    async def identify_all(self, texts: Collection[str]) -> dict[str, UUID]:
        """The same for many; those that nobody is called are left out."""
        return await self._identify(texts) if texts else {}

    async def shown_ids(self, ids: Collection[UUID]) -> dict[UUID, str]:
        """What others call these devices, or else their ids; those that are not there any more are left out."""
        return {id: external_id or str(id) for id, external_id in await self._database.all(_SHOWN_IDS, ids=list(ids))}

    async def list_announced(self) -> list[UUID]:
        """The devices that have spoken for themselves, unlike those that only a person entered."""
        return [row[0] for row in await self._database.all(_LIST_ANNOUNCED)]

    async def list_sensors(self) -> list[PartRow]:
        return [PartRow._make(row) for row in await self._database.all(_LIST_SENSORS)]

    async def find_sensor(self, id: UUID) -> PartRow | None:
        return await self._sensors.find(id)

    async def list_actors(self) -> list[PartRow]:
        return [PartRow._make(row) for row in await self._database.all(_LIST_ACTORS)]

    async def find_actor(self, id: UUID) -> PartRow | None:
        return await self._actors.find(id)

    async def _find_devices(self, ids: Collection[UUID]) -> dict[UUID, DeviceRow]:
        return {row[0]: DeviceRow._make(row) for row in await self._database.all(_FIND_DEVICES, ids=list(ids))}

    async def _identify(self, texts: Collection[str]) -> dict[str, UUID]:
        called = {text: UUID(text) for text in texts if _UUID.fullmatch(text)}
        # PostgreSQL's texts cannot hold a NUL, and nobody is called so.
        storable = [text for text in texts if "\0" not in text]
        rows = await self._database.all(_IDENTIFY, texts=storable, ids=list(called.values()))
        ids = {id for id, _ in rows}
        by_id = {text: id for text, id in called.items() if id in ids}
        return {external_id: id for id, external_id in rows if external_id is not None} | by_id

    async def _find_sensors(self, ids: Collection[UUID]) -> dict[UUID, PartRow]:
        return {row[0]: PartRow._make(row) for row in await self._database.all(_FIND_SENSORS, ids=list(ids))}

    async def _find_actors(self, ids: Collection[UUID]) -> dict[UUID, PartRow]:
        return {row[0]: PartRow._make(row) for row in await self._database.all(_FIND_ACTORS, ids=list(ids))}


def _listed(table: sa.Table, row: type[NamedTuple]) -> sa.Select[Any]:
    columns = [table.c[field] for field in row._fields]
    present = sa.select(*columns).where(table.c.valid_to.is_(None)).order_by(table.c.created_at, table.c.id)
    return present.where(~table.c.retired) if "retired" in table.c else present


def _found(listed: sa.Select[Any], table: sa.Table) -> sa.Select[Any]:
    wanted = sa.bindparam("ids", type_=ARRAY(sa.Uuid))
    return listed.where(table.c.id == sa.any_(wanted)).order_by(None)


_LIST_DEVICES = _listed(DEVICES, DeviceRow)
_FIND_DEVICES = _found(_LIST_DEVICES, DEVICES)
_FIND_BY_EXTERNAL_ID = _LIST_DEVICES.where(DEVICES.c.external_id == sa.bindparam("external_id"))
_IDS = sa.bindparam("ids", type_=ARRAY(sa.Uuid))
_IDENTIFY = sa.select(DEVICES.c.id, DEVICES.c.external_id).where(
    DEVICES.c.valid_to.is_(None),
    (DEVICES.c.external_id == sa.any_(sa.bindparam("texts", type_=ARRAY(sa.Text)))) | (DEVICES.c.id == sa.any_(_IDS)),
)
_SHOWN_IDS = sa.select(DEVICES.c.id, DEVICES.c.external_id).where(
    DEVICES.c.valid_to.is_(None), DEVICES.c.id == sa.any_(_IDS)
)
_LIST_ANNOUNCED = sa.select(DEVICES.c.id).where(DEVICES.c.valid_to.is_(None), DEVICES.c.announced)
_LIST_SENSORS = _listed(SENSORS, PartRow)
_FIND_SENSORS = _found(_LIST_SENSORS, SENSORS)
_LIST_ACTORS = _listed(ACTORS, PartRow)
_FIND_ACTORS = _found(_LIST_ACTORS, ACTORS)
