"""Which devices are connected now, how, and which process holds their connections."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from application.parsing import parse_uuid
from domain.devices.device import DeviceConnected, DeviceDisconnected, DeviceRemoved
from domain.devices.link import LinkClosed, LinkOpened
from domain.event import Recorded
from projections.batch import Batch
from projections.database import Database
from projections.present_lookup import PresentLookup
from projections.readmodel import Target
from projections.versioned import Row, VersionedRows, versioned_table

# A row for each link, under the id of the link's stream, and one for each device that is present over MQTT, under the
# device's id. A device that is connected by both has two. `created_at` is when the connection began.
CONNECTIONS = versioned_table(
    "connections",
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("through", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("connection_id", sa.Uuid, nullable=False),
    sa.Column("device_id", sa.Uuid),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("user_agent", sa.Text, nullable=False),
    sa.Column("remote_address", sa.Text, nullable=False),
    sa.Column("payload_mode", sa.Text, nullable=False),
)

_EVENTS = (LinkOpened, LinkClosed, DeviceConnected, DeviceDisconnected, DeviceRemoved)


class ConnectedDevices:
    """The read model `connections`."""

    name: ClassVar[str] = "connections"
    version: ClassVar[int] = 1
    tables: ClassVar[Sequence[sa.Table]] = (CONNECTIONS,)

    def __init__(self) -> None:
        self._rows = VersionedRows(CONNECTIONS, _evolve)

    async def apply(self, batch: Batch, to: Target) -> None:
        await self._rows.apply(batch.of(*_EVENTS), to)


def _evolve(row: Row | None, recorded: Recorded) -> Row | None:
    """That a device is present through `websocket` is said of its link, which has a row already."""
    match recorded.event:
        case LinkOpened() as event:
            return _connected(
                recorded,
                device=event.device,
                through=event.through,
                holder=event.holder,
                connection_id=event.connection_id,
                device_id=event.device_id,
                name=event.name,
                type=event.type,
                user_agent=event.user_agent,
                remote_address=event.remote_address,
                payload_mode=event.payload_mode,
            )
        case DeviceConnected(through="mqtt") if row is None:
            return _connected(
                recorded,
                device=str(recorded.aggregate_id),
                through="mqtt",
                holder="",
                connection_id=recorded.aggregate_id,
                device_id=recorded.aggregate_id,
                name="",
                type="",
                user_agent="",
                remote_address="",
                payload_mode="field",
            )
        case LinkClosed() | DeviceDisconnected(through="mqtt") | DeviceRemoved():
            return None
    return row


def _connected(recorded: Recorded, **columns: Any) -> Row:
    at = recorded.envelope.at
    return {"id": recorded.aggregate_id, **columns, "created_at": at, "updated_at": at}


class Connection(NamedTuple):
    """`device` is the id as shown: what the device calls itself, over MQTT its UUID. `device_id` is the registered
    device that it is, if any. `holder` is the process that has the connection; it is empty over MQTT, where
    `connection_id` is the device's UUID. What MQTT does not tell is empty too."""

    device: str
    through: Literal["websocket", "mqtt"]
    holder: str
    connection_id: UUID
    device_id: UUID | None
    name: str
    type: str
    user_agent: str
    remote_address: str
    payload_mode: Literal["raw", "field"]
    connected_at: datetime


class ConnectionQueries:
    """Queries. All may raise LogUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connections = PresentLookup(self._find)

    async def ids(self) -> "list[str]":
        """The ids of the connected devices as they are shown, sorted, each once."""
        return [row[0] for row in await self._database.fetch(_IDS)]

    async def count(self) -> int:
        """How many devices are connected, by whichever roads."""
        return int((await self._database.fetch(_COUNT))[0][0])

    async def find(self, device: str) -> Connection | None:
        """The connection of the device that is shown under this id, or that is registered under this id or external
        id: its WebSocket rather than MQTT, and the newest."""
        return None if "\0" in device else await self._connections.find(device)

    async def held_by(self, holder: str) -> "list[Connection]":
        """What this process holds, by device."""
        return [Connection._make(row) for row in await self._database.fetch(_HELD_BY, {"holder": holder})]

    async def holders(self) -> "list[str]":
        """The processes that hold any."""
        return [row[0] for row in await self._database.fetch(_HOLDERS)]

    async def list(self) -> "list[Connection]":
        """By device, each once: of one that is connected by both roads, its WebSocket."""
        return [Connection._make(row) for row in await self._database.fetch(_LIST)]

    async def _find(self, devices: Collection[str]) -> dict[str, Connection]:
        asked = list(devices)
        values = {"asked": asked, "ids": [parse_uuid(device) for device in asked]}
        return {row[0]: Connection._make(row[1:]) for row in await self._database.fetch(_FIND, values)}


# Two connections with the same key are those of one device.
_KEY = 'coalesce(c.device_id::text, c.device) COLLATE "C"'
_BEST_FIRST = "(c.through = 'websocket') DESC, c.valid_from DESC"
# Over MQTT a device has the name that the directory knows.
_SHOWN = """
    c.device, c.through, c.holder, c.connection_id, c.device_id,
    CASE c.through WHEN 'mqtt' THEN coalesce(d.name, '') ELSE c.name END AS name,
    c.type, c.user_agent, c.remote_address, c.payload_mode, c.created_at
"""
_NAMED = "LEFT JOIN devices d ON c.through = 'mqtt' AND d.id = c.device_id AND d.valid_to IS NULL"

_IDS = f"""
    SELECT device FROM (
        SELECT DISTINCT ON ({_KEY}) c.device FROM connections c WHERE c.valid_to IS NULL ORDER BY {_KEY}, {_BEST_FIRST}
    ) shown GROUP BY device ORDER BY device COLLATE "C"
""".encode()
_LIST = f"""
    SELECT * FROM (
        SELECT DISTINCT ON ({_KEY}) {_SHOWN} FROM connections c {_NAMED} WHERE c.valid_to IS NULL
        ORDER BY {_KEY}, {_BEST_FIRST}
    ) listed ORDER BY device COLLATE "C", created_at
""".encode()
_COUNT = f"SELECT count(DISTINCT {_KEY}) FROM connections c WHERE c.valid_to IS NULL".encode()
_HELD_BY = f"""
    SELECT {_SHOWN} FROM connections c {_NAMED} WHERE c.valid_to IS NULL AND c.holder <> '' AND c.holder = %(holder)s
    ORDER BY c.device COLLATE "C", c.created_at
""".encode()
_HOLDERS = b"SELECT DISTINCT c.holder FROM connections c WHERE c.valid_to IS NULL AND c.holder <> '' ORDER BY c.holder"
_FIND = f"""
    SELECT a.asked, {_SHOWN} FROM unnest(%(asked)s::text[], %(ids)s::uuid[]) AS a(asked, id)
    CROSS JOIN LATERAL (
        SELECT c.* FROM (
            SELECT * FROM connections WHERE valid_to IS NULL AND device = a.asked
            UNION ALL
            SELECT r.* FROM devices d JOIN connections r ON r.device_id = d.id AND r.valid_to IS NULL
            WHERE d.valid_to IS NULL AND d.id = a.id
            UNION ALL
            SELECT r.* FROM devices d JOIN connections r ON r.device_id = d.id AND r.valid_to IS NULL
            WHERE d.valid_to IS NULL AND d.external_id = a.asked
        ) c ORDER BY {_BEST_FIRST} LIMIT 1
    ) c {_NAMED}
""".encode()
