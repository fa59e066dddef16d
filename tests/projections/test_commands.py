"""What was asked of devices, as it is listed."""

from datetime import timedelta
from typing import Literal
from uuid import UUID

import pytest

from domain.devices.command import (
    DeviceCommandAnswered,
    DeviceCommandFailed,
    DeviceCommandIssued,
    DeviceCommandPublished,
    DeviceCommandTimedOut,
)
from domain.event import Event
from domain.identifiers import commands_id
from projections.database import Database
from projections.devices.commands import CommandQueries, CommandRow
from projections.positions import Positions
from tests.projections.history import DEVICE_ID, SENSOR_ID, START, append, as_of

pytestmark = pytest.mark.usefixtures("runner")

FIRST, SECOND, THIRD = (UUID(int=n) for n in (1, 2, 3))


def of_device(event: Event) -> tuple[UUID, Event]:
    return commands_id(DEVICE_ID), event


def issued(command_id: UUID, **more: object) -> tuple[UUID, Event]:
    event = DeviceCommandIssued(
        device_id=DEVICE_ID,
        command_id=command_id,
        kind="write",
        action="set\0",
        issued_at=START,
        part_id=SENSOR_ID,
        **more,
    )
    return of_device(event)


async def listed(database: Database, positions: Positions, limit: int = 100) -> list[CommandRow]:
    assert (await positions.fresh("device_commands")).fresh
    return await CommandQueries(database).list(DEVICE_ID, limit)


async def test_every_command_ends_in_what_became_of_it(
    database_url: str, database: Database, positions: Positions
) -> None:
    append(
        database_url,
        issued(FIRST, value=None),
        of_device(DeviceCommandPublished(command_id=FIRST)),
        issued(SECOND),
        of_device(DeviceCommandFailed(command_id=SECOND, reason="away")),
        issued(THIRD, value={"ä\0": [1]}),
    )
    assert [(row.id, row.state, row.value, row.reason) for row in await listed(database, positions)] == [
        (THIRD, "issued", '{"ä\\u0000":[1]}', None),
        (SECOND, "failed", None, "away"),
        (FIRST, "published", "null", None),
    ]
    append(database_url, of_device(DeviceCommandAnswered(command_id=FIRST, status="error", value=0, error="jammed\0")))
    row = (await listed(database, positions))[-1]
    assert (row.state, row.answer_status, row.answer_value, row.answer_error) == ("answered", "error", "0", "jammed")
    assert row.answered_at == START + timedelta(seconds=5)
    assert (row.action, row.actor, row.requested_at) == ("set", "system:test", START)
    assert [row.id for row in await listed(database, positions, limit=1)] == [THIRD]


async def test_what_connected_devices_were_asked_is_listed_with_what_came_of_it(
    database_url: str, database: Database, positions: Positions
) -> None:
    def asked(command_id: UUID, kind: Literal["command", "query"], payload: str) -> tuple[UUID, Event]:
        return of_device(
            DeviceCommandIssued(
                device_id=DEVICE_ID, command_id=command_id, kind=kind, action="", value=payload, issued_at=START
            )
        )

    append(
        database_url,
        asked(FIRST, "command", "on"),
        of_device(DeviceCommandTimedOut(command_id=FIRST)),
        asked(SECOND, "query", "temp?"),
        of_device(DeviceCommandAnswered(command_id=SECOND, status="ok", value="21\0")),
        asked(THIRD, "query", ""),
        of_device(DeviceCommandFailed(command_id=THIRD, reason="the caller went away")),
    )
    seen = [
        (row.kind, row.part_id, row.action, row.value, row.state, row.reason, row.answer_value, row.answered_at)
        for row in await listed(database, positions)
    ]
    answered_at = START + timedelta(seconds=3)
    assert seen == [
        ("query", None, "", '""', "failed", "the caller went away", None, None),
        ("query", None, "", '"temp?"', "answered", None, '"21\\u0000"', answered_at),
        ("command", None, "", '"on"', "timed_out", None, None, None),
    ]


async def test_commands_of_other_devices_are_not_listed(
    database_url: str, database: Database, positions: Positions
) -> None:
    append(database_url, issued(FIRST))
    assert (await positions.fresh("device_commands")).fresh
    assert await CommandQueries(database).list(SENSOR_ID, 100) == []


async def test_every_moment_of_the_commands_is_told_as_it_was(
    database_url: str, database: Database, positions: Positions
) -> None:
    facts = [
        issued(FIRST, value=1),
        of_device(DeviceCommandPublished(command_id=FIRST)),
        issued(SECOND),
        of_device(DeviceCommandAnswered(command_id=FIRST, status="error", value=0, error="jammed")),
        of_device(DeviceCommandFailed(command_id=SECOND, reason="away")),
        issued(THIRD),
        of_device(DeviceCommandTimedOut(command_id=THIRD)),
    ]
    said = []
    for fact in facts:
        position = append(database_url, fact)
        said.append((position, await listed(database, positions)))
    append(database_url, issued(UUID(int=4)))
    await listed(database, positions)
    for position, rows in said:
        with as_of(position):
            assert await CommandQueries(database).list(DEVICE_ID, 100) == rows
