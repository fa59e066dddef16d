"""The registry keeps every version of a row and lists the present ones."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from domain.devices.device import (
    DeviceConnected,
    DeviceExternallyIdentified,
    DeviceInventoryAnnounced,
    DeviceRedescribed,
    DeviceRegistered,
    DeviceRemoved,
    DeviceStatusChanged,
)
from domain.devices.sensor import SensorMoved, SensorRemoved, SensorRetired, SensorRevived
from projections.database import Database
from projections.devices.directory import Directory
from projections.positions import Positions
from tests.projections.history import DEVICE_ID, SENSOR_ID, START, append, discovered, sensor_added

pytestmark = pytest.mark.usefixtures("runner")


async def test_a_row_has_a_version_for_every_change(
    database_url: str, database: Database, positions: Positions
) -> None:
    append(database_url, discovered("a"), (DEVICE_ID, DeviceStatusChanged(status=4, reason="presence")))
    await positions.fresh("directory")
    append(database_url, (DEVICE_ID, DeviceRedescribed(name="b", description="", location="")))
    assert (await positions.fresh("directory")).fresh
    device = await Directory(database).find_device(DEVICE_ID)
    assert device is not None
    assert (device.name, device.status_id, device.created_at) == ("b", 4, START)
    assert versions(database_url, "name, status_id") == [("a", 1, 1, 2), ("a", 4, 2, 3), ("b", 4, 3, None)]


async def test_a_retired_sensor_is_hidden_and_comes_back_under_its_id(
    database_url: str, database: Database, positions: Positions
) -> None:
    directory = Directory(database)
    append(database_url, discovered(), sensor_added(), (SENSOR_ID, SensorRetired(reason="not announced")))
    await positions.fresh("directory")
    assert (await directory.list_sensors(), await directory.find_sensor(SENSOR_ID)) == ([], None)
    append(database_url, (SENSOR_ID, SensorRevived()))
    await positions.fresh("directory")
    assert [row.id for row in await directory.list_sensors()] == [SENSOR_ID]


async def test_events_of_a_device_never_introduced_are_passed_over(
    database_url: str, database: Database, positions: Positions
) -> None:
    append(database_url, (DEVICE_ID, DeviceConnected(through="mqtt")))
    assert (await positions.fresh("directory")).fresh
    assert await Directory(database).list_devices() == []


async def test_a_text_with_a_nul_does_not_stop_the_directory(
    database_url: str, database: Database, positions: Positions
) -> None:
    append(database_url, discovered("Green\0house"))
    assert (await positions.fresh("directory")).fresh
    assert [row.name for row in await Directory(database).list_devices()] == ["Greenhouse"]


OTHER_DEVICE = UUID("007c79f3-33f0-5a0c-9713-70921f69f8ce")
REGISTERED = DeviceRegistered(name="r", description="", location="", status=3)


async def test_a_registered_device_has_the_status_it_was_given(
    database_url: str, database: Database, positions: Positions
) -> None:
    append(database_url, (DEVICE_ID, REGISTERED))
    assert (await positions.fresh("directory")).fresh
    (device,) = await Directory(database).list_devices()
    assert (device.name, device.status_id, device.created_at, device.updated_at) == ("r", 3, START, START)


async def test_removed_and_announced_again_it_is_a_new_row_under_the_same_id(
    database_url: str, database: Database, positions: Positions
) -> None:
    """In batches of their own, and then all in one."""
    directory = Directory(database)
    facts = [
        discovered("a"),
        sensor_added(),
        (SENSOR_ID, SensorRemoved()),
        (DEVICE_ID, DeviceRemoved()),
        discovered("b"),
        sensor_added(),
    ]
    for index, fact in enumerate(facts):
        append(database_url, fact)
        assert (await positions.fresh("directory")).fresh
        if index == 3:
            assert (await directory.find_device(DEVICE_ID), await directory.list_sensors()) == (None, [])
    device, sensor = await directory.find_device(DEVICE_ID), await directory.find_sensor(SENSOR_ID)
    assert device is not None
    assert sensor is not None
    assert (device.name, device.created_at) == ("b", START + timedelta(seconds=4))
    assert sensor.created_at == START + timedelta(seconds=5)
    assert versions(database_url, "name") == [("a", 1, 4), ("b", 5, None)]

    append(database_url, (DEVICE_ID, DeviceRemoved()), discovered("c"), (DEVICE_ID, DeviceRemoved()), discovered("d"))
    assert (await positions.fresh("directory")).fresh
    assert versions(database_url, "name") == [("a", 1, 4), ("b", 5, 7), ("c", 8, 9), ("d", 10, None)]


async def test_a_device_is_found_by_its_external_id_as_long_as_it_has_it(
    database_url: str, database: Database, positions: Positions
) -> None:
    directory = Directory(database)
    append(database_url, (DEVICE_ID, REGISTERED), (DEVICE_ID, DeviceExternallyIdentified(external_id="b-7")))
    await positions.fresh("directory")
    found = await directory.find_by_external_id("b-7")
    assert found is not None
    assert (found.id, found.updated_at) == (DEVICE_ID, START + timedelta(seconds=1))
    assert await directory.find_by_external_id("B-7") is None
    append(database_url, (DEVICE_ID, DeviceExternallyIdentified()))
    await positions.fresh("directory")
    assert await directory.find_by_external_id("b-7") is None
    append(database_url, (DEVICE_ID, DeviceExternallyIdentified(external_id="b-8")), (DEVICE_ID, DeviceRemoved()))
    await positions.fresh("directory")
    assert await directory.find_by_external_id("b-8") is None


async def test_a_device_is_identified_by_its_id_and_by_what_others_call_it(
    database_url: str, database: Database, positions: Positions
) -> None:
    directory = Directory(database)
    called = DeviceExternallyIdentified(external_id="b-7")
    append(database_url, (DEVICE_ID, REGISTERED), (DEVICE_ID, called), (OTHER_DEVICE, REGISTERED))
    await positions.fresh("directory")
    texts = ("b-7", str(DEVICE_ID), str(DEVICE_ID).upper(), str(OTHER_DEVICE), "B-7", "b-7\0", "", DEVICE_ID.hex)
    found = await asyncio.gather(*map(directory.identify, texts))
    assert found == [DEVICE_ID, DEVICE_ID, DEVICE_ID, OTHER_DEVICE, None, None, None, None]
    ids = [DEVICE_ID, OTHER_DEVICE, SENSOR_ID]
    assert await directory.shown_ids(ids) == {DEVICE_ID: "b-7", OTHER_DEVICE: str(OTHER_DEVICE)}
    append(database_url, (DEVICE_ID, DeviceRemoved()))
    await positions.fresh("directory")
    assert await directory.identify("b-7") is None
    assert await directory.shown_ids(ids) == {OTHER_DEVICE: str(OTHER_DEVICE)}


async def test_a_moved_sensor_belongs_to_the_other_device(
    database_url: str, database: Database, positions: Positions
) -> None:
    append(database_url, discovered(), sensor_added(), (SENSOR_ID, SensorMoved(device_id=OTHER_DEVICE)))
    await positions.fresh("directory")
    (sensor,) = await Directory(database).list_sensors()
    assert (sensor.id, sensor.device_id, sensor.created_at) == (SENSOR_ID, OTHER_DEVICE, START + timedelta(seconds=1))


async def test_only_devices_that_have_spoken_for_themselves_count_as_announced(
    database_url: str, database: Database, positions: Positions
) -> None:
    directory = Directory(database)
    append(database_url, discovered(), (OTHER_DEVICE, REGISTERED))
    await positions.fresh("directory")
    assert await directory.list_announced() == [DEVICE_ID]
    append(database_url, (OTHER_DEVICE, DeviceInventoryAnnounced(sensors=(), actors=())))
    await positions.fresh("directory")
    assert set(await directory.list_announced()) == {DEVICE_ID, OTHER_DEVICE}


def versions(url: str, columns: str) -> list[tuple[Any, ...]]:
    """Every version of every device: the columns, since when, until when."""
    with psycopg.connect(url) as connection:
        query = f"SELECT {columns}, valid_from, valid_to FROM devices ORDER BY valid_from"
        return connection.execute(query.encode()).fetchall()
