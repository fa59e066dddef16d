"""A rebuild gives the same tables, while the old ones serve."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from adapters.eventstore.reader import PostgresLogReader
from adapters.eventstore.schema import migrate
from domain.devices.device import DeviceConnected, DeviceExternallyIdentified, DeviceRegistered, DeviceRemoved
from domain.devices.link import LinkClosed, LinkOpened
from domain.identifiers import link_id
from domain.metrics.reports import MetricsReported
from projections.database import Database
from projections.devices.connections import ConnectionQueries
from projections.devices.directory import DeviceDirectory
from projections.positions import Positions, projection_statuses
from projections.rebuild import Progress, RebuildRunningError, outdated, rebuild
from projections.registry import READ_MODELS
from tests.projections.conftest import running
from tests.projections.history import (
    DEVICE_ID,
    MAPPER,
    START,
    all_rows,
    append,
    corrected,
    discovered,
    measured,
    removed,
    sensor_added,
)
from tests.projections.metrics import report


@pytest.fixture
def history(database_url: str) -> str:
    """A database whose log has a bit of everything, repeated messages included."""
    message = measured((1.0, START), (2.0, START + timedelta(seconds=1)))
    append(database_url, discovered(), sensor_added(), message, measured((3.0, None)), message)
    registered = DeviceRegistered(name="r", description="", location="", status=3)
    other = uuid4()
    append(database_url, (other, registered), (other, DeviceExternallyIdentified(external_id="b-7")))
    append(database_url, (other, DeviceRemoved()), (other, registered))
    later = START + timedelta(hours=1)
    for n in range(40):
        values = tuple(report(name, n, ttl=100 - n) for name in "ab"[n % 2 :])
        append(database_url, (other, MetricsReported(device_id=other, reports=values)))
    append(database_url, corrected(3, 0, 1.5, later), removed(3, 1), corrected(3, 0, 1.75, START), message)
    robot = link_id("robot-1", None)
    opened = LinkOpened(
        device="robot-1",
        connection_id=uuid4(),
        holder="a1",
        through="websocket",
        name="Robot",
        type="",
        user_agent="curl",
        remote_address="192.0.2.1",
    )
    closed = LinkClosed(device="robot-1", connection_id=opened.connection_id, holder="a1", reason="gone")
    append(
        database_url, (robot, opened), (robot, closed), (robot, opened), (DEVICE_ID, DeviceConnected(through="mqtt"))
    )
    return database_url


async def rebuilt(url: str) -> list[Progress]:
    reader = PostgresLogReader(url, MAPPER)
    told: list[Progress] = []
    try:
        await rebuild(url, READ_MODELS, reader, told.append)
    finally:
        await reader.close()
    return told


async def test_rebuilt_tables_equal_the_serving_ones(history: str, positions: Positions) -> None:
    async with running(history):
        for model in READ_MODELS:
            assert (await positions.fresh(model.name)).fresh
        before = all_rows(history)
        told = await rebuilt(history)
        assert all_rows(history) == before
    assert told[-1].position == told[-1].target == 57
    assert len(before["readings"]) == 2
    assert len(before["reading_versions"]) == 5
    assert len(before["connections"]) == 3


async def test_what_happens_during_a_rebuild_is_not_lost(history: str, positions: Positions) -> None:
    async def keep_measuring() -> None:
        for value in range(200):
            await asyncio.to_thread(append, history, measured((float(value), None)))

    async with running(history):
        assert (await positions.fresh("readings")).fresh
        measuring = asyncio.create_task(keep_measuring())
        while not measuring.done():
            await rebuilt(history)
        assert (await positions.fresh("readings")).fresh
    assert len(all_rows(history)["readings"]) == 202


async def test_a_rebuild_needs_no_running_projections(history: str) -> None:
    await rebuilt(history)
    assert len(all_rows(history)["readings"]) == 2


async def test_two_rebuilds_of_one_model_at_once_are_refused(history: str) -> None:
    with psycopg.connect(history) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('rebuild readings', 0))")
        with pytest.raises(RebuildRunningError, match="readings"):
            await rebuilt(history)


async def test_the_remains_of_a_killed_rebuild_are_no_hindrance(history: str, database: Database) -> None:
    with psycopg.connect(history) as connection:
        connection.execute("CREATE TABLE readings__next (LIKE readings)")
    await rebuilt(history)
    statuses = {status.name: status for status in await projection_statuses(database)}
    assert {status.rebuild_state for status in statuses.values()} == {"done"}
    assert statuses["readings"].lag == 0


async def test_a_raised_version_is_stored_by_the_rebuild(history: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await rebuilt(history)
    raised = READ_MODELS[1].version + 1
    monkeypatch.setattr(READ_MODELS[1], "version", raised)
    await rebuilt(history)
    with psycopg.connect(history) as connection:
        found = connection.execute("SELECT version FROM projections WHERE name = 'directory'").fetchone()
    assert found == (raised,)


async def test_a_rebuilt_table_keeps_the_names_of_its_indexes(history: str, positions: Positions) -> None:
    def names() -> list[tuple[str, str]]:
        with psycopg.connect(history) as connection:
            return connection.execute(
                "SELECT tablename, indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
            ).fetchall()

    before = names()
    async with running(history):
        assert (await positions.fresh("readings")).fresh
        await rebuilt(history)
        await rebuilt(history)
    assert names() == before


async def test_an_installation_from_before_there_were_connections_has_them_after_the_upgrade(
    empty_database_url: str,
) -> None:
    """Its devices kept a version for each change of `connected`, which they no longer do."""
    url = empty_database_url
    migrate(url, "0006")
    append(url, discovered(), (DEVICE_ID, DeviceConnected(through="mqtt")))
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO projections (name, version, position) VALUES ('directory', 2, 2)")
        for connected, since, until in ((False, 1, 2), (True, 2, None)):
            connection.execute(
                "INSERT INTO devices (id, name, description, location, status_id, connected, announced, created_at,"
                " updated_at, valid_from, valid_to) VALUES (%s, 'a', '', '', 1, %s, true, %s, %s, %s, %s)",
                (DEVICE_ID, connected, START, START, since, until),
            )
    migrate(url)
    async with Database(url) as database, Positions(database, patience=10).running() as positions, running(url):
        assert (await positions.fresh("connections")).fresh
        assert await ConnectionQueries(database).ids() == [str(DEVICE_ID)]
        assert await outdated(url, READ_MODELS) == [DeviceDirectory]
        await rebuilt(url)
        assert await outdated(url, READ_MODELS) == []
    assert len(all_rows(url)["devices"]) == 1
