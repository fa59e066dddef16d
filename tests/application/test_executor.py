"""The command executor: what a caller may rely on, on the real log and on the fake."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest

from application.batch import IdTakenError
from application.command import Aggregates, Change, Command, Handler, Receipt, change
from application.devices.device import AnnounceDevice, ReportPresence, ReportSilence
from application.executor import (
    CommandConflictError,
    CommandExecutor,
    Overloaded,
)
from application.identity import DisableUser, EnableUser
from application.ports import EventLog, Loaded, LogUnavailableError, Ref, StaleError
from domain.devices.actor import ACTOR, ActorAdded
from domain.devices.device import DEVICE, DeviceDiscovered, DeviceInventoryAnnounced, DeviceStatusChanged
from domain.devices.part import PartOfAnotherDeviceError
from domain.devices.readings import READINGS, ReadingsRecorded, SensorUnknownError
from domain.devices.sensor import SENSOR, SensorAdded, SensorRetired, SensorRevived
from domain.event import Event
from domain.identifiers import readings_id, user_id
from domain.identity.user import USER, UserDisabled, UserEnabled, UsernameTakenError, UserNotFoundError, UserRegistered
from tests.application.logs import (
    HANDLERS,
    AddUser,
    LogUnderTest,
    PostgresLogUnderTest,
    assert_sound,
    executor_on,
    running,
)
from tests.facts import NOON, ORIGIN, actor_of, announcing, device_named, reading, readings, sensor_of
from tests.fakes.event_log import FakeEventLog

BOILER = device_named("boiler")
PUMP = device_named("pump")
FLOW = sensor_of(BOILER)


def registering(name: str) -> AddUser:
    return AddUser(username=name, password_hash="$argon2id$1")


async def outcomes(executor: CommandExecutor, commands: Sequence[Command]) -> list[Any]:
    return await asyncio.gather(*(executor.execute(command, ORIGIN) for command in commands), return_exceptions=True)


# Receipts and envelopes


async def test_a_receipt_tells_where_the_events_are(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        announced = await executor.execute(announcing(BOILER), ORIGIN)
        registered = await executor.execute(registering("ada"), ORIGIN)
    assert announced[:4] == (BOILER, 2, 3, 1)
    assert [type(event) for event in announced.events] == [DeviceDiscovered, DeviceInventoryAnnounced, SensorAdded]
    assert registered[:4] == (user_id("ada"), 1, 4, 4)


async def test_the_receipts_of_one_batch_tell_each_commands_own_version_and_position(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        receipts = await outcomes(
            executor, [registering("ada"), DisableUser(username="ada", reason="x"), EnableUser(username="ada")]
        )
    assert [(receipt.version, receipt.first, receipt.position) for receipt in receipts] == [
        (1, 1, 1),
        (2, 2, 2),
        (3, 3, 3),
    ]


async def test_a_command_that_records_nothing_points_at_the_end_of_its_batch(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        announced = await executor.execute(announcing(BOILER), ORIGIN)
        again = await executor.execute(announcing(BOILER), ORIGIN)
        nobody = await executor.execute(ReportSilence(device_id=PUMP), ORIGIN)
    assert again[:5] == Receipt(BOILER, 2, 3)[:5]
    assert nobody == Receipt(PUMP, 0, 3)
    assert again.state is not None
    assert again.state == announced.state


async def test_every_event_says_who_when_through_what_and_why(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
    envelopes = [recorded.envelope for recorded in await log.everything()]
    assert len({envelope.id for envelope in envelopes}) == 3
    for envelope in envelopes:
        assert (envelope.at, envelope.actor, envelope.source) == (NOON, "user:ada", "http")
        assert (envelope.correlation_id, envelope.causation_id) == ("c-1", "m-1")


async def test_a_state_is_found_as_the_log_has_it(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(registering("Ada"), ORIGIN)
        found = await executor.find(USER, user_id("ada"))
        assert found is not None
        assert found.username == "Ada"
        assert await executor.find(USER, user_id("bob")) is None


async def test_those_who_look_at_the_same_time_share_a_load_and_see_what_was_acknowledged_before(
    log: LogUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = log.connect()
    loads: list[int] = []
    load = connected.load

    async def counted(refs: Sequence[Ref]) -> Mapping[UUID, Loaded]:
        loads.append(len(refs))
        return await load(refs)

    async with running(connected) as (executor,):
        await asyncio.gather(*(executor.execute(registering(f"u{n}"), ORIGIN) for n in range(30)))
        monkeypatch.setattr(connected, "load", counted)
        first = asyncio.create_task(executor.find(USER, user_id("u0")))
        await asyncio.sleep(0)  # its load is under way
        await executor.execute(DisableUser(username="u7", reason="lost"), ORIGIN)
        found = await asyncio.gather(*(executor.find(USER, user_id(f"u{n}")) for n in range(31)))
        assert (await first) is not None
    assert [user.username if user else None for user in found] == [*(f"u{n}" for n in range(30)), None]
    assert [user.disabled for user in found if user] == [n == 7 for n in range(30)]
    assert loads == [1, 31]


# Group commit


async def test_many_waiting_commands_are_few_transactions() -> None:
    log = FakeEventLog()
    async with running(log) as (executor,):
        await outcomes(executor, [registering(f"user {n}") for n in range(500)])
    assert len(log.appends) <= 2
    assert len(log.loads) <= 2


async def test_concurrent_commands_lose_and_double_nothing(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        receipts = await outcomes(executor, [reading(FLOW, n) for n in range(2_500)])
    events = await log.everything()
    assert_sound(events)
    by_position = {recorded.position: recorded for recorded in events}
    for n, receipt in enumerate(receipts):
        recorded = by_position[receipt.position]
        assert isinstance(recorded.event, ReadingsRecorded)
        assert recorded.event.readings[0].value == n
        assert (receipt.aggregate_id, receipt.version) == (recorded.aggregate_id, recorded.version)
        assert receipt.events == (recorded.event,)
    assert len(events) == 3 + 2_500


async def test_commands_are_decided_in_the_order_they_came_each_seeing_those_before(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        results = await outcomes(
            executor,
            [reading(FLOW), announcing(BOILER), reading(FLOW), announcing(BOILER, sensors=0), reading(FLOW)],
        )
    assert [type(result) for result in results] == [SensorUnknownError, Receipt, Receipt, Receipt, SensorUnknownError]
    assert_sound(await log.everything())


async def test_a_registration_can_be_won_once_however_many_try(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        results = await outcomes(executor, [registering(name) for name in ("ada", "Ada", "ADA") * 20])
    assert [type(result) for result in results] == [Receipt] + [UsernameTakenError] * 59
    assert len(await log.everything()) == 1


# Refusals and defects concern only their own command


class Misbehave(Command):
    error: Any


def misbehave(command: Misbehave, aggregates: Aggregates) -> Sequence[Change]:
    raise command.error


class RecordOn(Command):
    """Records the events on the ids, whatever they are."""

    changes: tuple[tuple[Any, UUID, tuple[Event, ...]], ...]


def record_on(command: RecordOn, aggregates: Aggregates) -> Sequence[Change]:
    for decider, id, _ in command.changes:
        aggregates.find(decider, id)
    return [change(decider, id, events) for decider, id, events in command.changes]


ODD_HANDLERS: dict[type[Command], Handler] = {**HANDLERS, Misbehave: misbehave, RecordOn: record_on}


def odd_executor(log: EventLog, **options: Any) -> CommandExecutor:
    return CommandExecutor(log, ODD_HANDLERS, lambda: NOON, **options)


async def test_a_refusal_concerns_only_its_own_command(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(registering("ada"), ORIGIN)
        results = await outcomes(
            executor, [registering("bob"), registering("ADA"), EnableUser(username="nobody"), registering("eve")]
        )
    assert [type(result) for result in results] == [Receipt, UsernameTakenError, UserNotFoundError, Receipt]
    events = await log.everything()
    assert_sound(events)
    assert [e.event.username for e in events if isinstance(e.event, UserRegistered)] == ["ada", "bob", "eve"]


@pytest.mark.parametrize(
    "defect", [ZeroDivisionError("defect"), StopIteration(), KeyError("x"), RuntimeError()], ids=repr
)
async def test_a_defect_met_by_one_command_spoils_no_other(log: LogUnderTest, defect: Exception) -> None:
    async with odd_executor(log.connect()).running() as executor:
        results = await outcomes(executor, [registering("ada"), Misbehave(error=defect), registering("bob")])
    assert [type(results[0]), type(results[2])] == [Receipt, Receipt]
    assert isinstance(results[1], Exception)
    assert len(await log.everything()) == 2


async def test_an_unknown_command_spoils_no_other(log: LogUnderTest) -> None:
    class Unheard(Command):
        pass

    async with running(log.connect()) as (executor,):
        results = await outcomes(executor, [registering("ada"), Unheard(), registering("bob")])
    assert [type(result) for result in results] == [Receipt, KeyError, Receipt]


async def test_an_event_that_cannot_be_written_spoils_no_other(postgres_log: PostgresLogUnderTest) -> None:
    unwritable = AnnounceDevice(device_id=PUMP, name="\ud800")
    async with running(postgres_log.connect()) as (executor,):
        results = await outcomes(executor, [registering("ada"), unwritable, announcing(BOILER)])
    assert [type(results[0]), type(results[2])] == [Receipt, Receipt]
    assert isinstance(results[1], UnicodeEncodeError)
    events = await postgres_log.everything()
    assert_sound(events)
    assert len(events) == 4


async def test_an_aggregate_that_cannot_be_read_spoils_no_other(postgres_log: PostgresLogUnderTest) -> None:
    with psycopg.connect(postgres_log.url) as connection:
        connection.execute(
            "INSERT INTO events VALUES (%s, 1, 'identity.user.registered.v99', '{}', 1)", (user_id("new"),)
        )
    async with running(postgres_log.connect()) as (executor,):
        results = await outcomes(executor, [registering("ada"), registering("new"), registering("bob")])
    assert [type(results[0]), type(results[2])] == [Receipt, Receipt]
    assert isinstance(results[1], Exception)


async def test_an_observer_that_fails_spoils_nothing(log: LogUnderTest) -> None:
    class Broken:
        def batch_committed(self, commands: int, events: int, seconds: float, position: int) -> None:
            raise ZeroDivisionError

        def conflicted(self) -> None:
            raise ZeroDivisionError

    executor = CommandExecutor(log.connect(), HANDLERS, lambda: NOON, Broken())
    async with executor.running():
        results = await outcomes(executor, [registering("ada"), registering("bob")])
        results += await outcomes(executor, [registering("eve")])
    assert [type(result) for result in results] == [Receipt, Receipt, Receipt]
    assert len(await log.everything()) == 3


# Several aggregates in one command: all or nothing


async def test_an_announcement_changes_the_device_and_its_parts_together(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(announcing(BOILER, sensors=3, actors=1), ORIGIN)
        fewer = await executor.execute(announcing(BOILER, sensors=1, actors=1), ORIGIN)
        assert [type(event) for event in fewer.events] == [DeviceInventoryAnnounced, SensorRetired, SensorRetired]
        back = await executor.execute(announcing(BOILER, sensors=2), ORIGIN)
        assert [type(event) for event in back.events] == [DeviceInventoryAnnounced, SensorRevived]
        second, third = [await executor.find(SENSOR, sensor_of(BOILER, n)) for n in (1, 2)]
        assert second is not None
        assert third is not None
        assert (second.retired, third.retired) == (False, True)
    assert_sound(await log.everything())


async def test_a_hijacked_sensor_refuses_the_whole_announcement(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        hijack = announcing(PUMP, sensors=2)
        hijack = AnnounceDevice(device_id=PUMP, sensors=(*(hijack.sensors or ()), *(announcing(BOILER).sensors or ())))
        with pytest.raises(PartOfAnotherDeviceError):
            await executor.execute(hijack, ORIGIN)
        assert await executor.find(DEVICE, PUMP) is None
        assert await executor.find(SENSOR, sensor_of(PUMP)) is None
    assert len(await log.everything()) == 3


async def test_readings_of_sensors_not_in_service_are_left_out_and_the_rest_kept(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(announcing(BOILER, sensors=2), ORIGIN)
        await executor.execute(announcing(PUMP), ORIGIN)
        await executor.execute(announcing(BOILER, sensors=1), ORIGIN)
        receipt = await executor.execute(
            readings(
                (FLOW, 1.0), (sensor_of(BOILER, 1), 2.0), (sensor_of(PUMP), 3.0), (UUID(int=9), 4.0), device=BOILER
            ),
            ORIGIN,
        )
    (recorded,) = receipt.events
    assert isinstance(recorded, ReadingsRecorded)
    assert [measured.value for measured in recorded.readings] == [1.0]


async def test_readings_of_two_devices_are_an_event_for_each(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await outcomes(executor, [announcing(BOILER), announcing(PUMP)])
        receipt = await executor.execute(readings((FLOW, 1.0), (sensor_of(PUMP), 2.0), (FLOW, 3.0)), ORIGIN)
    assert [
        (event.device_id, [measured.value for measured in event.readings])
        for event in receipt.events
        if isinstance(event, ReadingsRecorded)
    ] == [(BOILER, [1.0, 3.0]), (PUMP, [2.0])]


async def test_a_reading_is_a_sign_of_life_once(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        await executor.execute(ReportSilence(device_id=BOILER), ORIGIN)
        first, second = await outcomes(executor, [reading(FLOW), reading(FLOW)])
    assert [type(event) for event in first.events] == [ReadingsRecorded, DeviceStatusChanged]
    assert [type(event) for event in second.events] == [ReadingsRecorded]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
async def test_a_value_that_is_no_number_is_never_recorded(log: LogUnderTest, value: float) -> None:
    # JSON has no word for it: it would be stored as null and the log could not be read any more.
    async with running(log.connect()) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        with pytest.raises(Exception, match="finite"):
            await executor.execute(reading(FLOW, value), ORIGIN)
        kept = await executor.execute(readings((FLOW, value), (FLOW, 2.0)), ORIGIN)
        assert [measured.value for event in kept.events for measured in event.readings] == [2.0]  # type: ignore[attr-defined]
    assert_sound(await log.everything())


# One id, one kind


async def test_an_id_used_for_a_sensor_and_an_actor_refuses_the_whole_command(log: LogUnderTest) -> None:
    told = announcing(BOILER)
    async with running(log.connect()) as (executor,):
        with pytest.raises(IdTakenError) as caught:
            await executor.execute(AnnounceDevice(device_id=BOILER, sensors=told.sensors, actors=told.sensors), ORIGIN)
        assert caught.value.code == "domain.id_taken"
    assert await log.everything() == []


async def test_a_device_named_like_its_own_sensor_is_refused(log: LogUnderTest) -> None:
    told = announcing(BOILER)
    async with running(log.connect()) as (executor,):
        with pytest.raises(IdTakenError):
            await executor.execute(AnnounceDevice(device_id=FLOW, sensors=told.sensors), ORIGIN)
    assert await log.everything() == []


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "loaded"])
async def test_the_id_of_another_kind_is_refused_and_the_rightful_owner_goes_on(
    log: LogUnderTest, cached: bool
) -> None:
    connected = log.connect()
    async with running(connected) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
    async with running(connected) as (fresh,):
        if cached:
            await fresh.execute(announcing(BOILER), ORIGIN)
        for _ in range(2):
            with pytest.raises(SensorUnknownError):
                await fresh.execute(reading(BOILER), ORIGIN)  # the device's id as a sensor's
            with pytest.raises(IdTakenError):
                await fresh.execute(announcing(FLOW), ORIGIN)  # the sensor's id as a device's
            renamed = await fresh.execute(announcing(BOILER, name="kettle"), ORIGIN)
            assert renamed.aggregate_id == BOILER
            results = await outcomes(fresh, [reading(BOILER), announcing(BOILER, name="boiler"), reading(BOILER)])
            assert [type(result) for result in results] == [SensorUnknownError, Receipt, SensorUnknownError]
    assert_sound(await log.everything())


async def test_among_readings_an_id_of_another_kind_is_left_out_and_the_rest_kept(log: LogUnderTest) -> None:
    connected = log.connect()
    async with running(connected) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
    async with running(connected) as (fresh,):
        for _ in range(2):
            kept = await fresh.execute(readings((BOILER, 1.0), (FLOW, 2.0)), ORIGIN)
            assert [measured.value for event in kept.events for measured in event.readings] == [2.0]  # type: ignore[attr-defined]
    assert_sound(await log.everything())


async def test_asking_for_the_wrong_kind_leaves_no_snapshot(postgres_log: PostgresLogUnderTest) -> None:
    async with running(postgres_log.connect()) as (executor,):
        for name in ["a", "b"] * 60:
            await executor.execute(announcing(BOILER, name=name), ORIGIN)
    async with running(postgres_log.connect()) as (fresh,):
        with pytest.raises(SensorUnknownError):
            await fresh.execute(reading(BOILER), ORIGIN)
    with psycopg.connect(postgres_log.url) as connection:
        topics = {topic for (topic,) in connection.execute("SELECT topic FROM snapshots")}
    assert all(topic.startswith("devices.device.snapshot") for topic in topics)


async def test_one_command_cannot_change_one_aggregate_twice(log: LogUnderTest) -> None:
    disabled, enabled = UserDisabled(reason="x"), UserEnabled()
    twice = RecordOn(changes=((USER, user_id("ada"), (disabled,)), (USER, user_id("ada"), (enabled,))))
    async with odd_executor(log.connect()).running() as executor:
        await executor.execute(registering("ada"), ORIGIN)
        with pytest.raises(IdTakenError):
            await executor.execute(twice, ORIGIN)
    assert len(await log.everything()) == 1


# Other processes on the same log


async def test_a_sensor_added_by_another_process_is_accepted_at_once(log: LogUnderTest) -> None:
    async with running(log.connect(), log.connect()) as (ours, theirs):
        with pytest.raises(SensorUnknownError):
            await ours.execute(reading(FLOW), ORIGIN)
        await theirs.execute(announcing(BOILER), ORIGIN)
        assert (await ours.execute(reading(FLOW), ORIGIN)).first == 4


async def test_a_sensor_retired_by_another_process_is_refused_at_once(log: LogUnderTest) -> None:
    async with running(log.connect(), log.connect()) as (ours, theirs):
        await ours.execute(announcing(BOILER), ORIGIN)
        await ours.execute(reading(FLOW), ORIGIN)
        await theirs.execute(announcing(BOILER, sensors=0), ORIGIN)
        with pytest.raises(SensorUnknownError):
            await ours.execute(reading(FLOW), ORIGIN)


async def test_a_username_registered_by_another_process_is_taken(log: LogUnderTest) -> None:
    async with running(log.connect(), log.connect()) as (ours, theirs):
        with pytest.raises(UserNotFoundError):
            await ours.execute(EnableUser(username="ada"), ORIGIN)
        await theirs.execute(registering("ada"), ORIGIN)
        with pytest.raises(UsernameTakenError):
            await ours.execute(registering("ada"), ORIGIN)


async def test_nothing_to_do_is_never_concluded_from_what_another_process_changed(log: LogUnderTest) -> None:
    async with running(log.connect(), log.connect()) as (ours, theirs):
        await ours.execute(registering("ada"), ORIGIN)
        await theirs.execute(DisableUser(username="ada", reason="x"), ORIGIN)
        assert (await ours.execute(EnableUser(username="ada"), ORIGIN)).events == (UserEnabled(),)


async def test_two_processes_on_the_same_aggregates_lose_and_double_nothing(log: LogUnderTest) -> None:
    async with running(log.connect(), log.connect()) as executors:
        await executors[0].execute(announcing(BOILER), ORIGIN)

        async def write(executor: CommandExecutor, who: int) -> list[Receipt]:
            return [await executor.execute(reading(FLOW, who * 1_000 + n), ORIGIN) for n in range(100)]

        await asyncio.gather(*(write(executor, who) for executor in executors for who in [executors.index(executor)]))
    events = await log.everything()
    assert_sound(events)
    values = [e.event.readings[0].value for e in events if isinstance(e.event, ReadingsRecorded)]
    assert sorted(values) == [who * 1_000 + n for who in (0, 1) for n in range(100)]


async def test_processes_that_busily_toggle_one_user_all_succeed(log: LogUnderTest) -> None:
    async with running(*(log.connect() for _ in range(3))) as executors:
        await executors[0].execute(registering("ada"), ORIGIN)
        commands = [DisableUser(username="ada", reason="x"), EnableUser(username="ada")] * 20
        results = await asyncio.gather(*(executor.execute(c, ORIGIN) for c in commands for executor in executors))
    assert len(results) == 120
    events = await log.everything()
    assert_sound(events)
    kinds = [type(recorded.event) for recorded in events[1:]]
    assert kinds == [UserDisabled if index % 2 == 0 else UserEnabled for index in range(len(kinds))]


async def test_a_command_that_always_comes_too_late_gets_its_turn_and_so_do_its_neighbours() -> None:
    log = FakeEventLog()
    meddler = executor_on(log)
    async with running(log) as (executor,), meddler.running():
        await executor.execute(registering("ada"), ORIGIN)
        others = iter([DisableUser(username="ada", reason="x"), EnableUser(username="ada")] * 20)

        async def be_faster() -> None:
            log.before_append = None
            await meddler.execute(next(others), ORIGIN)
            log.before_append = be_faster

        log.before_append = be_faster
        results = await outcomes(executor, [registering("bob"), EnableUser(username="ada"), registering("eve")])
    assert [type(result) for result in results] == [Receipt, Receipt, Receipt]
    assert log.turns == 1
    assert_sound(log.recorded)


async def test_a_conflict_that_even_a_turn_does_not_end_is_told_to_the_caller() -> None:
    class AlwaysStale(FakeEventLog):
        async def append(self, events: Sequence[Any], after: int, looked_at: Any) -> Any:
            raise StaleError(len(self.recorded), None)

    async with running(AlwaysStale()) as (executor,):
        with pytest.raises(CommandConflictError):
            await executor.execute(registering("ada"), ORIGIN)


async def test_a_state_advanced_by_a_batch_that_failed_is_not_kept(log: LogUnderTest) -> None:
    connected = log.connect()
    append = connected.append

    async def fail(*_: Any) -> Any:
        raise LogUnavailableError("away")

    async with running(connected) as (executor,):
        await executor.execute(registering("ada"), ORIGIN)
        connected.append = fail  # type: ignore[method-assign, assignment]
        with pytest.raises(LogUnavailableError):
            await executor.execute(DisableUser(username="ada", reason="lost"), ORIGIN)
        connected.append = append  # type: ignore[method-assign]
        disabled = await executor.execute(DisableUser(username="ada", reason="again"), ORIGIN)
    assert disabled.events == (UserDisabled(reason="again"),)
    assert_sound(await log.everything())


async def test_a_state_advanced_by_a_stale_batch_is_not_kept() -> None:
    log = FakeEventLog()
    async with running(log) as (executor,):
        await executor.execute(registering("ada"), ORIGIN)
        stale = [StaleError(1, None)]

        async def once() -> None:
            if stale:
                raise stale.pop()

        log.before_append = once
        disabled = await executor.execute(DisableUser(username="ada", reason="x"), ORIGIN)
    assert disabled.events == (UserDisabled(reason="x"),)
    assert disabled.version == 2


# The log away, and the end of the process


async def test_while_the_log_is_away_commands_fail_and_afterwards_they_do_not() -> None:
    log = FakeEventLog()
    async with running(log) as (executor,):
        await executor.execute(registering("ada"), ORIGIN)
        log.away = True
        results = await outcomes(executor, [registering("bob"), registering("eve")])
        assert [type(result) for result in results] == [LogUnavailableError] * 2
        log.away = False
        assert (await executor.execute(registering("bob"), ORIGIN)).position == 2


async def test_an_executor_that_starts_while_the_log_is_away_works_when_it_is_back() -> None:
    log = FakeEventLog()
    log.away = True
    async with running(log) as (executor,):
        with pytest.raises(LogUnavailableError):
            await executor.execute(registering("ada"), ORIGIN)
        log.away = False
        assert (await executor.execute(registering("ada"), ORIGIN)).position == 1


async def test_more_commands_than_are_taken_on_are_turned_away_at_once(log: LogUnderTest) -> None:
    async with executor_on(log.connect(), max_waiting=10).running() as executor:
        answers = [executor.submit(registering(f"user {n}"), ORIGIN) for n in range(10)]
        with pytest.raises(Overloaded):
            executor.submit(registering("one too many"), ORIGIN)
        await asyncio.gather(*answers)
        await executor.execute(registering("one too many"), ORIGIN)
    assert len(await log.everything()) == 11


async def test_shutting_down_commits_everything_queued(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        answers = [executor.submit(registering(f"user {n}"), ORIGIN) for n in range(2_300)]
    assert all(isinstance(answer.result(), Receipt) for answer in answers)
    assert len(await log.everything()) == 2_300
    with pytest.raises(LogUnavailableError):
        executor.submit(registering("too late"), ORIGIN)


async def test_shutting_down_an_idle_executor_ends(log: LogUnderTest) -> None:
    async with asyncio.timeout(5), running(log.connect()):
        pass


async def test_a_caller_that_gave_up_while_queued_is_not_executed(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        gave_up = executor.submit(registering("ada"), ORIGIN)
        stays = executor.submit(registering("bob"), ORIGIN)
        gave_up.cancel()
        await stays
    assert [e.event.username for e in await log.everything() if isinstance(e.event, UserRegistered)] == ["bob"]


async def test_a_caller_that_gave_up_during_the_commit_disturbs_nobody() -> None:
    log = FakeEventLog()
    async with running(log) as (executor,):
        gave_up = asyncio.create_task(executor.execute(registering("ada"), ORIGIN))

        async def give_up() -> None:
            gave_up.cancel()
            await asyncio.sleep(0)

        log.before_append = give_up
        stays = asyncio.create_task(executor.execute(registering("bob"), ORIGIN))
        assert (await stays).aggregate_id == user_id("bob")
        with pytest.raises(asyncio.CancelledError):
            await gave_up
    assert_sound(log.recorded)


# Loading


async def test_a_stream_of_telemetry_goes_on_without_being_read(log: LogUnderTest) -> None:
    connected = log.connect()
    async with running(connected) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        await outcomes(executor, [reading(FLOW, n) for n in range(50)])
    async with running(connected) as (fresh,):
        receipt = await fresh.execute(reading(FLOW), ORIGIN)
    assert receipt.version == 51
    assert receipt.aggregate_id == readings_id(BOILER, NOON.date())


async def test_the_states_of_a_whole_batch_are_loaded_together() -> None:
    log = FakeEventLog()
    names = [device_named(str(n)) for n in range(200)]
    async with running(log) as (executor,):
        await outcomes(executor, [announcing(name) for name in names])
    log.loads.clear()
    async with running(log) as (fresh,):
        await outcomes(fresh, [reading(sensor_of(name)) for name in names])
    assert len(log.loads) <= 3  # the sensors, their devices, their streams
    assert_sound(log.recorded)


async def test_a_fleet_that_announces_itself_and_reports_at_once_is_not_decided_over_and_over() -> None:
    decided: list[Command] = []

    def counting(handler: Handler) -> Handler:
        def handle(command: Command, aggregates: Aggregates) -> Sequence[Change]:
            decided.append(command)
            return handler(command, aggregates)

        return handle

    fleet = [device_named(str(n)) for n in range(200)]
    handlers = {command: counting(handler) for command, handler in HANDLERS.items()}
    async with CommandExecutor(FakeEventLog(), handlers, lambda: NOON).running() as executor:
        told = await outcomes(executor, [c for name in fleet for c in (announcing(name), reading(sensor_of(name)))])
    assert all(isinstance(receipt, Receipt) for receipt in told)
    assert len(decided) < 6 * len(told)


async def test_forgotten_aggregates_are_loaded_again(log: LogUnderTest) -> None:
    async with executor_on(log.connect(), cached=2).running() as executor:
        for n in range(10):
            await executor.execute(registering(f"user {n}"), ORIGIN)
        for n in range(10):
            with pytest.raises(UsernameTakenError):
                await executor.execute(registering(f"user {n}"), ORIGIN)
    assert len(await log.everything()) == 10


async def test_presence_of_an_unknown_device_and_an_unknown_actor_are_remembered_as_nothing(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        online = ReportPresence(device_id=BOILER, status=1, word="online", through="mqtt")
        assert (await executor.execute(online, ORIGIN)).events == ()
        await executor.execute(announcing(BOILER, actors=1), ORIGIN)
        assert (await executor.execute(online, ORIGIN)).first
        assert await executor.find(ACTOR, actor_of(BOILER)) is not None
        assert await executor.find(READINGS, readings_id(BOILER, NOON.date())) is None
    assert any(isinstance(recorded.event, ActorAdded) for recorded in await log.everything())
