"""From what somebody asks to what devices hear: recorded, published, recorded, answered."""

import asyncio
import json
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest

from application.devices.command import IssueCommand, ReportResponse
from application.devices.dispatch import Dispatcher
from application.executor import CommandExecutor
from application.ports import LogUnavailableError, NotPublishedError
from domain.devices.command import (
    DeviceCommandAnswered,
    DeviceCommandFailed,
    DeviceCommandIssued,
    DeviceCommandPublished,
    PartNotInServiceError,
    Response,
)
from domain.devices.device import DEVICE
from domain.event import Event
from domain.identifiers import commands_id
from tests.application.logs import HANDLERS, running
from tests.facts import NOON, ORIGIN, actor_of, announcing, device_named, readings, sensor_of
from tests.fakes.event_log import FakeEventLog

BOILER = device_named("boiler")


class Publisher:
    """Fills DevicePublisher; remembers what was in the log when it was called."""

    def __init__(self, log: FakeEventLog) -> None:
        self._log = log
        self.published: list[dict[str, Any]] = []
        self.recorded_before: list[Event] = []
        self.away = False
        self.takes_the_log_away = False

    async def publish(self, payload: bytes) -> None:
        self.recorded_before = told(self._log)
        self._log.away = self.takes_the_log_away
        if self.away:
            raise NotPublishedError("not connected to the MQTT broker")
        self.published.append(json.loads(payload))


def told(log: FakeEventLog) -> list[Event]:
    """The stream of the boiler's commands."""
    return [recorded.event for recorded in log.recorded if recorded.aggregate_id == commands_id(BOILER)]


def asked(part: UUID, kind: Literal["trigger", "write"] = "write", action: str = "set", **value: Any) -> IssueCommand:
    return IssueCommand(command_id=uuid4(), kind=kind, part_id=part, action=action, **value)


async def test_a_command_is_recorded_before_it_is_published_and_its_outcome_after() -> None:
    log = FakeEventLog()
    publisher = Publisher(log)
    async with running(log) as (executor,):
        await executor.execute(announcing(BOILER, actors=1), ORIGIN)
        command = asked(actor_of(BOILER), value=None)
        position = await Dispatcher(executor, publisher, lambda: NOON).send(command, ORIGIN)
    (issued,) = publisher.recorded_before
    assert isinstance(issued, DeviceCommandIssued)
    assert told(log) == [issued, DeviceCommandPublished(command_id=command.command_id)]
    assert position == len(log.recorded)
    assert publisher.published == [
        {
            "type": "actor_command",
            "actor_id": str(actor_of(BOILER)),
            "action": "set",
            "requested_at": "2026-01-14T12:00:00Z",
            "value": None,
        }
    ]


async def test_what_could_not_be_published_is_recorded_as_failed() -> None:
    log = FakeEventLog()
    publisher = Publisher(log)
    publisher.away = True
    async with running(log) as (executor,):
        await executor.execute(announcing(BOILER, actors=1), ORIGIN)
        command = asked(actor_of(BOILER))
        with pytest.raises(NotPublishedError):
            await Dispatcher(executor, publisher, lambda: NOON).send(command, ORIGIN)
    failed = DeviceCommandFailed(command_id=command.command_id, reason="not connected to the MQTT broker")
    assert told(log)[1:] == [failed]


@pytest.mark.parametrize("broker_away", [False, True])
async def test_what_happened_is_told_even_if_the_log_is_away_by_then(broker_away: bool) -> None:
    log = FakeEventLog()
    publisher = Publisher(log)
    publisher.away, publisher.takes_the_log_away = broker_away, True
    async with running(log) as (executor,):
        await executor.execute(announcing(BOILER, actors=1), ORIGIN)
        sending = Dispatcher(executor, publisher, lambda: NOON).send(asked(actor_of(BOILER)), ORIGIN)
        if broker_away:
            with pytest.raises(NotPublishedError):
                await sending
        else:
            await sending
    assert [type(event) for event in told(log)] == [DeviceCommandIssued]


async def test_what_cannot_be_recorded_is_not_published() -> None:
    log = FakeEventLog()
    publisher = Publisher(log)
    async with running(log) as (executor,):
        await executor.execute(announcing(BOILER, actors=1), ORIGIN)
        log.away = True
        with pytest.raises(LogUnavailableError):
            await Dispatcher(executor, publisher, lambda: NOON).send(asked(actor_of(BOILER)), ORIGIN)
    assert publisher.published == []


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        (actor_of(BOILER), "trigger"),
        (sensor_of(BOILER), "write"),
        (sensor_of(BOILER, 1), "trigger"),
        (UUID(int=1), "trigger"),
    ],
    ids=["an actor", "a sensor", "retired", "unknown"],
)
async def test_only_what_is_in_service_is_asked(part: UUID, kind: Literal["trigger", "write"]) -> None:
    log = FakeEventLog()
    publisher = Publisher(log)
    async with running(log) as (executor,):
        await executor.execute(announcing(BOILER, sensors=2, actors=1), ORIGIN)
        await executor.execute(announcing(BOILER, sensors=1, actors=1), ORIGIN)
        with pytest.raises(PartNotInServiceError):
            await Dispatcher(executor, publisher, lambda: NOON).send(asked(part, kind), ORIGIN)
    assert (publisher.published, told(log)) == ([], [])


async def test_a_ping_is_published_and_not_recorded() -> None:
    log = FakeEventLog()
    publisher = Publisher(log)
    async with running(log) as (executor,):
        assert await Dispatcher(executor, publisher, lambda: NOON).ping() == NOON
    assert publisher.published == [{"type": "ping", "timestamp": "2026-01-14T12:00:00Z"}]
    assert log.recorded == []


# Answers


async def test_a_device_that_is_not_asked_is_not_looked_at_for_answers() -> None:
    log = FakeEventLog()
    async with running(log) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        await executor.execute(readings((sensor_of(BOILER), 1.0), device=BOILER), ORIGIN)
    assert commands_id(BOILER) not in {ref.id for refs in log.loads for ref in refs}


async def test_a_reading_settles_the_triggers_and_then_nothing_is_awaited() -> None:
    log = FakeEventLog()
    async with running(log) as (executor,):
        await executor.execute(announcing(BOILER, sensors=2), ORIGIN)
        first, second = (asked(sensor_of(BOILER, number), "trigger", "read") for number in range(2))
        for command in (first, second):
            await executor.execute(command, ORIGIN)
        await executor.execute(readings((sensor_of(BOILER, 0), 21.5), device=BOILER), ORIGIN)
        assert await awaits(executor)
        await executor.execute(readings((sensor_of(BOILER, 1), 22.5), device=BOILER), ORIGIN)
        assert not await awaits(executor)
        await executor.execute(readings((sensor_of(BOILER, 1), 23.5), device=BOILER), ORIGIN)
    assert told(log)[2:] == [
        DeviceCommandAnswered(command_id=first.command_id, status="ok", value=21.5),
        DeviceCommandAnswered(command_id=second.command_id, status="ok", value=22.5),
    ]


async def test_a_trigger_that_was_never_answered_stops_being_awaited_with_a_later_reading() -> None:
    log = FakeEventLog()
    now = NOON
    executor = CommandExecutor(log, HANDLERS, lambda: now)
    async with executor.running():
        await executor.execute(announcing(BOILER, sensors=1), ORIGIN)
        await executor.execute(asked(sensor_of(BOILER), "trigger", "read"), ORIGIN)
        now += timedelta(seconds=61)
        await executor.execute(readings((sensor_of(BOILER), 21.5), device=BOILER), ORIGIN)
        assert not await awaits(executor)
    assert [type(event) for event in told(log)] == [DeviceCommandIssued]


async def test_an_answer_may_come_before_we_recorded_that_the_broker_took_the_command() -> None:
    log = FakeEventLog()
    async with running(log, log) as (api, gateway):

        class Quick(Publisher):
            async def publish(self, payload: bytes) -> None:
                response = Response(actor_id=actor_of(BOILER), action="set", status="ok")
                await gateway.execute(ReportResponse(device_id=BOILER, response=response), ORIGIN)

        await api.execute(announcing(BOILER, actors=1), ORIGIN)
        async with asyncio.timeout(20):
            await Dispatcher(api, Quick(log), lambda: NOON).send(asked(actor_of(BOILER)), ORIGIN)
    assert [type(event) for event in told(log)] == [DeviceCommandIssued, DeviceCommandAnswered]


async def awaits(executor: CommandExecutor) -> bool:
    device = await executor.find(DEVICE, BOILER)
    assert device is not None
    return device.answer_awaited
