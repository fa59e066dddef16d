"""The `state:` store keeps the newest, and a rebuild keeps the same."""

from datetime import timedelta
from uuid import UUID

import pytest

from domain.devices.state_message import StateMessageReceived
from domain.event import Event
from projections.database import Database
from projections.devices import messages
from projections.devices.messages import MessageQueries, MessageRow
from projections.positions import Positions
from tests.projections.history import START, append

pytestmark = pytest.mark.usefixtures("runner")


def told(payload: str) -> tuple[UUID, Event]:
    return UUID(int=1), StateMessageReceived(mqtt_topic="state:a", payload=payload)


async def listed(database: Database, positions: Positions, page: int = 0) -> list[MessageRow]:
    assert (await positions.fresh("state_messages")).fresh
    return await MessageQueries(database).list(page)


async def test_the_newest_first_by_position(database_url: str, database: Database, positions: Positions) -> None:
    position = append(database_url, told("on"), told("o\0ff"))
    assert await listed(database, positions) == [
        MessageRow(position, "o\ufffdff", START + timedelta(seconds=1), "state:a"),
        MessageRow(position - 1, "on", START, "state:a"),
    ]
    assert await listed(database, positions, page=1) == []


async def test_what_is_too_many_is_dropped_the_oldest_first(
    database_url: str, database: Database, positions: Positions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MOST", 3)
    append(database_url, *[told(str(number)) for number in range(4)])
    assert [row.payload for row in await listed(database, positions)] == ["3", "2", "1"]
    append(database_url, told("4"), told("5"))
    assert [row.payload for row in await listed(database, positions)] == ["5", "4", "3"]


async def test_what_is_too_old_beside_the_newest_is_dropped(
    database_url: str, database: Database, positions: Positions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "OLDEST", timedelta(seconds=2))
    append(database_url, *[told(str(number)) for number in range(5)])
    assert [row.payload for row in await listed(database, positions)] == ["4", "3", "2"]
