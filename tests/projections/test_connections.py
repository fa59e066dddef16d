"""Which devices are connected, as it is listed, counted and looked up."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import TupleRow

from adapters.embedded.postgres import EmbeddedPostgres
from application.ports import LogUnavailableError
from domain.devices.device import (
    DeviceConnected,
    DeviceDisconnected,
    DeviceDiscovered,
    DeviceExternallyIdentified,
    DeviceRedescribed,
    DeviceRemoved,
)
from domain.devices.link import LinkClosed, LinkOpened, PayloadMode
from domain.event import Event
from domain.identifiers import link_id
from projections.database import Database
from projections.devices.connections import Connection, ConnectionQueries
from projections.positions import Positions
from tests.projections.history import DEVICE_ID, START, append, discovered, rows

OTHER_DEVICE = UUID("007c79f3-33f0-5a0c-9713-70921f69f8ce")
HERE, THERE = "a1", "b2"
PRESENT: tuple[UUID, Event] = (DEVICE_ID, DeviceConnected(through="mqtt"))
ABSENT: tuple[UUID, Event] = (DEVICE_ID, DeviceDisconnected(through="mqtt", reason="offline"))


def opened(
    device: str,
    connection: int = 1,
    device_id: UUID | None = None,
    holder: str = HERE,
    name: str = "",
    payload_mode: PayloadMode = "raw",
) -> tuple[UUID, Event]:
    return link_id(device, device_id), LinkOpened(
        device=device,
        connection_id=UUID(int=connection),
        holder=holder,
        through="websocket",
        name=name,
        type="sensor",
        user_agent="curl",
        remote_address="192.0.2.1",
        payload_mode=payload_mode,
        device_id=device_id,
    )


def closed(device: str, connection: int = 1, device_id: UUID | None = None) -> tuple[UUID, Event]:
    return link_id(device, device_id), LinkClosed(
        device=device, connection_id=UUID(int=connection), holder=HERE, reason="gone", device_id=device_id
    )


class Recording:
    """Appends facts, waits until the read model has them, and asks."""

    def __init__(self, url: str, database: Database, positions: Positions) -> None:
        self.url = url
        self.positions = positions
        self.queries = ConnectionQueries(database)

    async def __call__(self, *facts: tuple[UUID, Event]) -> None:
        append(self.url, *facts)
        assert (await self.positions.fresh("connections")).fresh

    async def seen(self) -> tuple[list[str], list[str], int]:
        """The ids, the devices of the list, and how many."""
        listed = [connection.device for connection in await self.queries.list()]
        return await self.queries.ids(), listed, await self.queries.count()

    async def found(self, device: str) -> tuple[str, int] | None:
        """Through what the device is connected, and by which connection."""
        connection = await self.queries.find(device)
        return (connection.through, connection.connection_id.int) if connection else None


@pytest.fixture
def record(runner: object, database_url: str, database: Database, positions: Positions) -> Recording:
    return Recording(database_url, database, positions)


async def test_a_link_is_listed_as_the_device_describes_itself_until_it_is_closed(record: Recording) -> None:
    await record(opened("robot-1", name="Robot", payload_mode="field"))
    assert await record.queries.list() == [
        Connection(
            device="robot-1",
            through="websocket",
            holder=HERE,
            connection_id=UUID(int=1),
            device_id=None,
            name="Robot",
            type="sensor",
            user_agent="curl",
            remote_address="192.0.2.1",
            payload_mode="field",
            connected_at=START,
        )
    ]
    await record(closed("robot-1"))
    assert await record.seen() == ([], [], 0)
    assert await record.found("robot-1") is None


async def test_a_device_that_is_present_over_mqtt_is_listed_with_the_name_it_has_now(record: Recording) -> None:
    await record(discovered("a"), PRESENT)
    await record((DEVICE_ID, DeviceRedescribed(name="b", description="", location="")))
    assert await record.queries.list() == [
        Connection(
            device=str(DEVICE_ID),
            through="mqtt",
            holder="",
            connection_id=DEVICE_ID,
            device_id=DEVICE_ID,
            name="b",
            type="",
            user_agent="",
            remote_address="",
            payload_mode="field",
            connected_at=START + timedelta(seconds=1),
        )
    ]
    await record(ABSENT)
    assert await record.seen() == ([], [], 0)


async def test_that_a_device_is_present_by_its_link_makes_no_second_row(record: Recording) -> None:
    presence = DeviceConnected(through="websocket")
    await record(discovered(), opened(str(DEVICE_ID), device_id=DEVICE_ID), (DEVICE_ID, presence))
    assert len(rows(record.url, "connections")) == 1
    await record((DEVICE_ID, DeviceDisconnected(through="websocket", reason="gone")))
    assert await record.seen() == ([str(DEVICE_ID)], [str(DEVICE_ID)], 1)


async def test_a_device_that_is_connected_by_both_roads_is_one_device_with_its_websocket_first(
    record: Recording,
) -> None:
    await record(discovered(), opened("robot-1", device_id=DEVICE_ID), PRESENT, opened("a", 2))
    assert await record.seen() == (["a", "robot-1"], ["a", "robot-1"], 2)
    assert await record.found(str(DEVICE_ID)) == ("websocket", 1)
    await record(closed("robot-1", device_id=DEVICE_ID))
    assert await record.seen() == ([str(DEVICE_ID), "a"], [str(DEVICE_ID), "a"], 2)
    assert await record.found(str(DEVICE_ID)) == ("mqtt", DEVICE_ID.int)


async def test_lists_are_sorted_by_the_characters_whatever_the_languages_rules_are(record: Recording) -> None:
    names = ["ä", "b", "B", "a", "a-b", "_", "ab"]
    await record(*(opened(name, number) for number, name in enumerate(names)))
    assert await record.seen() == (sorted(names), sorted(names), len(names))


async def test_of_two_connections_of_a_device_the_newest_is_the_row(record: Recording) -> None:
    """In batches of their own, and then all in one."""
    await record(opened("robot-1", 1))
    await record(closed("robot-1", 1), opened("robot-1", 2, holder=THERE))
    assert await record.found("robot-1") == ("websocket", 2)
    await record(closed("robot-1", 2), opened("robot-1", 3), closed("robot-1", 3), opened("robot-1", 4))
    assert await record.found("robot-1") == ("websocket", 4)
    assert validity(record.url, "connection_id") == [
        (UUID(int=1), 1, 2),
        (UUID(int=2), 3, 4),
        (UUID(int=3), 5, 6),
        (UUID(int=4), 7, None),
    ]


async def test_a_device_is_found_by_the_id_shown_its_own_id_and_its_external_id(record: Recording) -> None:
    named = (DEVICE_ID, DeviceExternallyIdentified(external_id="b-7"))
    await record(discovered(), named, opened("robot-1", device_id=DEVICE_ID))
    for known_as in ("robot-1", str(DEVICE_ID), str(DEVICE_ID).upper(), "b-7"):
        assert await record.found(known_as) == ("websocket", 1), known_as
    for unknown in ("", "Robot-1", "B-7", DEVICE_ID.hex, f"{{{DEVICE_ID}}}", str(OTHER_DEVICE), "robot-1\0", "ghost"):
        assert await record.found(unknown) is None, unknown
    await record((DEVICE_ID, DeviceExternallyIdentified()))
    assert await record.found("b-7") is None


async def test_many_who_look_at_once_find_each_their_own(record: Recording) -> None:
    await record(*(opened(f"robot-{number}", number) for number in range(50)))
    asked = [f"robot-{number % 60}" for number in range(200)]
    found = await asyncio.gather(*(record.found(device) for device in asked))
    assert found == [("websocket", number % 60) if number % 60 < 50 else None for number in range(200)]


async def test_a_removed_device_is_no_longer_connected_over_mqtt(record: Recording) -> None:
    await record(discovered(), PRESENT, (DEVICE_ID, DeviceRemoved()))
    assert await record.seen() == ([], [], 0)
    assert await record.found(str(DEVICE_ID)) is None


async def test_a_removed_device_keeps_its_link_under_the_name_that_it_gave(record: Recording) -> None:
    named = (DEVICE_ID, DeviceExternallyIdentified(external_id="b-7"))
    await record(discovered(), named, opened("robot-1", device_id=DEVICE_ID), (DEVICE_ID, DeviceRemoved()))
    assert await record.seen() == (["robot-1"], ["robot-1"], 1)
    assert await record.found("robot-1") == ("websocket", 1)
    assert [await record.found(known_as) for known_as in (str(DEVICE_ID), "b-7")] == [None, None]


async def test_it_is_known_which_process_holds_what(record: Recording) -> None:
    await record(discovered(), PRESENT, opened("b", 1), opened("a", 2), opened("c", 3, holder=THERE), opened("d", 4))
    await record(closed("d", 4))
    assert await record.queries.holders() == [HERE, THERE]
    assert [connection.device for connection in await record.queries.held_by(HERE)] == ["a", "b"]
    assert [connection.device for connection in await record.queries.held_by(THERE)] == ["c"]
    assert await record.queries.held_by("nobody") == []
    assert await record.queries.held_by("") == []


async def test_who_was_connected_at_any_moment_can_be_told(record: Recording) -> None:
    await record(discovered(), PRESENT, opened("robot-1"), ABSENT, closed("robot-1"), PRESENT)
    assert validity(record.url, "device") == [(str(DEVICE_ID), 2, 4), ("robot-1", 3, 5), (str(DEVICE_ID), 6, None)]


async def test_neither_a_nul_nor_a_name_of_kilobytes_stops_the_read_model(record: Recording) -> None:
    """A tree of PostgreSQL takes no text of more than 2,704 bytes that cannot be compressed."""
    endless = "".join(chr(0x4E00 + (number * 7_919) % 20_000) for number in range(20_000))
    await record(opened("nul\0", 1, name="\0"), opened(endless, 2))
    assert await record.queries.ids() == ["nul", endless]
    assert await record.found(endless) == ("websocket", 2)


async def test_a_device_in_a_fleet_is_looked_up_by_indexes(record: Recording) -> None:
    def fleet(number: int) -> list[tuple[UUID, Event]]:
        id = UUID(int=1_000 + number)
        name = DeviceDiscovered(name="", description="", location="")
        return [(id, name), (id, DeviceConnected(through="mqtt")), opened(f"robot-{number}", number)]

    await record(*(fact for number in range(500) for fact in fleet(number)))
    with psycopg.connect(record.url, autocommit=True) as connection:
        connection.execute("ANALYZE connections, devices")
    database = Explaining(record.url)
    async with database:
        found = await ConnectionQueries(database).find("robot-250")
    assert found is not None
    assert found.connection_id == UUID(int=250)
    assert "Seq Scan on connections" not in database.plan
    assert "Seq Scan on devices" not in database.plan


class Explaining(Database):
    """Remembers how PostgreSQL goes about the last query."""

    plan = ""

    async def fetch(self, query: bytes, *rest: Any) -> Sequence[TupleRow]:
        self.plan = "\n".join(line for (line,) in await super().fetch(b"EXPLAIN " + query, *rest))
        return await super().fetch(query, *rest)


async def test_nothing_is_told_while_the_database_is_away(own_postgres: EmbeddedPostgres) -> None:
    async with Database(own_postgres.url) as database:
        queries = ConnectionQueries(database)
        assert await queries.find("robot-1") is None
        await asyncio.to_thread(own_postgres.stop)
        for asked in (queries.find("robot-1"), queries.list(), queries.ids(), queries.count(), queries.holders()):
            with pytest.raises(LogUnavailableError):
                await asked


def validity(url: str, column: str) -> list[tuple[Any, ...]]:
    """Every version of every row: the column, since when, until when."""
    with psycopg.connect(url) as connection:
        query = f"SELECT {column}, valid_from, valid_to FROM connections ORDER BY valid_from"
        return connection.execute(query.encode()).fetchall()
