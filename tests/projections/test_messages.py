"""The `state:` store keeps the newest, and a rebuild keeps the same."""

from datetime import timedelta
from uuid import UUID

import pytest

from domain.devices.device import DeviceRemoved
from domain.devices.state_message import StateMessageReceived
from domain.event import Event
from projections.as_of import ForgottenError
from projections.database import Database
from projections.devices import messages
from projections.devices.messages import MessageQueries, MessageRow
from projections.positions import Positions
from tests.projections.history import START, append, as_of

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


async def test_what_was_there_is_told_as_of_each_position(
    database_url: str, database: Database, positions: Positions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MOST", 6)
    monkeypatch.setattr(messages, "OLDEST", timedelta(seconds=4))
    monkeypatch.setattr(messages, "PAGE", 2)
    other = append(database_url, (UUID(int=2), DeviceRemoved()))
    said = [(other, [await listed(database, positions, page) for page in range(4)])]
    for number in range(6):
        what = told(str(number)) if number != 2 else (UUID(int=3), DeviceRemoved())
        said.append((append(database_url, what), [await listed(database, positions, page) for page in range(4)]))
    assert [row.payload for page in said[-1][1] for row in page] == ["5", "4", "3", "1"]
    still = {row for page in said[-1][1] for row in page}
    first = min(row.id for row in still)
    for position, pages in said:
        for page, before in enumerate(pages):
            with as_of(position):
                if position >= first and still.issuperset(before):
                    assert await MessageQueries(database).list(page) == before
                else:
                    with pytest.raises(ForgottenError, match="some of those of then are gone"):
                        await MessageQueries(database).list(page)


async def test_before_the_first_message_there_was_none(
    database_url: str, database: Database, positions: Positions
) -> None:
    before = append(database_url, (UUID(int=2), DeviceRemoved()))
    append(database_url, told("on"))
    assert len(await listed(database, positions)) == 1
    with as_of(before):
        assert await MessageQueries(database).list(0) == []


async def test_however_the_log_is_cut_a_message_says_what_was_there_with_it(
    database_url: str, database: Database, positions: Positions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All in one batch, as a rebuild has it."""
    monkeypatch.setattr(messages, "MOST", 4)
    append(database_url, *[told(str(number)) for number in range(9)])
    assert (await positions.fresh("state_messages")).fresh
    with as_of(8), pytest.raises(ForgottenError, match="are kept"):
        await MessageQueries(database).list(0)
    with as_of(9):
        assert [row.payload for row in await MessageQueries(database).list(0)] == ["8", "7", "6", "5"]
