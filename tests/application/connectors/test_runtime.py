"""Clients at work: started, retried, given up, taken over and removed."""

import asyncio
from datetime import datetime, timedelta

import pytest

from application.connectors.client import RemoveClient
from application.connectors.connector_type import (
    AskedOfThing,
    ClientLine,
    ClientSettings,
    OutageError,
    RefusedError,
    Taken,
    ThingStaysError,
)
from application.connectors.runtime import ConnectorRuntime
from application.connectors.thing import RemoveThing
from domain.connectors.client import ClientFailed, ClientNotFoundError, ClientRedirected
from domain.connectors.instance import InstanceInstallationFailed, InstanceInstalled
from domain.connectors.properties import PropertiesUpdated
from domain.connectors.thing import ThingStatus, ThingStatusChanged
from domain.identifiers import thing_stream_id
from tests.application.connectors.facts import (
    CLIENT_ID,
    INSTANCE_ID,
    LAMP,
    creating_client,
    thing_named,
    value,
)
from tests.application.connectors.lamps import QUICK, AskingLamps, HeldLease, Lamps, house, runtime_on
from tests.facts import ORIGIN, device_named

ONE = thing_named("one")
ONES_STREAM = thing_stream_id(ONE)


def old(at: datetime) -> datetime:
    return at - timedelta(hours=1)


def _status(status: ThingStatus) -> ThingStatusChanged:
    return ThingStatusChanged(thing_id=ONE, status=status)


async def makes_one(client: ClientSettings, line: ClientLine) -> None:
    await line.make_thing("one", LAMP, (value("level", "5"),))
    await line.started()
    await asyncio.Event().wait()


async def test_a_client_that_is_created_is_started() -> None:
    async with house(Lamps()) as home:
        home.start()
        await home.until_recorded("ClientStarted")
        assert home.names_of() == ["ClientCreated", "ClientStarted"]
        await home.do(creating_client(device_named("second"), subject="s2"))
        await home.until_recorded("ClientStarted", id=device_named("second"))
        assert home.runtime.running == 2


async def test_while_nothing_moves_nobody_looks_for_what_changed() -> None:
    move = asyncio.Event()
    lamps = Lamps()
    second = device_named("second")
    async with house(lamps) as home:
        home.runtime = runtime_on(
            home.log, home.executor, lamps, HeldLease(), pace=QUICK._replace(idle=60), next_move=lambda: move
        )
        home.start()
        await home.until_recorded("ClientStarted")
        await home.do(creating_client(second, subject="s2"))
        for _ in range(20):  # far longer than it takes to look
            await asyncio.sleep(QUICK.look)
        assert home.names_of(second) == ["ClientCreated"]
        move.set()
        await home.until_recorded("ClientStarted", id=second)


async def test_a_removed_client_is_stopped() -> None:
    async with house(Lamps()) as home:
        home.start()
        await home.until(lambda: home.lamps.at_work == 1)
        await home.do(RemoveClient(client_id=CLIENT_ID))
        await home.until(lambda: home.lamps.at_work == 0)


async def test_the_next_process_resumes_a_client_with_the_same_things_and_records_nothing_twice() -> None:
    lamps = Lamps()
    lamps.run = makes_one
    async with house(lamps) as home:
        home.start()
        await home.until_recorded("ClientStarted")
        await home.stop()
        home.runtime = runtime_on(home.log, home.executor, lamps, HeldLease())
        home.start()
        await home.until_recorded("ClientStarted", 2)
        assert home.names_of() == [
            *("ClientCreated", "ClientThingGained", "ClientStarted"),
            *("ClientResumed", "ClientStarted"),
        ]
        assert home.names_of(ONES_STREAM) == ["ThingMade"]
        assert dict(lamps.opened[-1].things) == {"one": ONE}


async def test_an_outage_makes_the_things_unavailable_until_the_other_side_is_back() -> None:
    failures = [OutageError("gone"), ValueError("a defect")]
    proceed = asyncio.Event()

    async def run(client: ClientSettings, line: ClientLine) -> None:
        if len(home.lamps.opened) == 1:
            await line.make_thing("one", LAMP)
        elif len(home.lamps.opened) > 1 and not failures:
            await proceed.wait()
        await line.started()
        if failures:
            raise failures.pop(0)
        await asyncio.Event().wait()

    lamps = Lamps()
    lamps.run = run
    async with house(lamps) as home:
        home.start()
        await home.until(lambda: len(lamps.opened) == 3)
        await home.until_recorded("ThingStatusChanged", 3, ONES_STREAM)
        proceed.set()
        await home.until_recorded("ThingStatusChanged", 4, ONES_STREAM)
        away, back = _status("UNAVAILABLE"), _status("AVAILABLE")
        assert home.events_of(ONES_STREAM)[1:] == [away, back, away, back]
        # It was STARTED all the time.
        assert home.names_of() == ["ClientCreated", "ClientThingGained", "ClientStarted"]


async def test_after_five_failures_in_a_row_a_client_is_in_error_and_is_tried_on_until_it_is_started() -> None:
    async def run(client: ClientSettings, line: ClientLine) -> None:
        if len(home.lamps.opened) < 8:
            raise OutageError("nobody there")
        await line.started()
        await asyncio.Event().wait()

    lamps = Lamps()
    lamps.run = run
    async with house(lamps) as home:
        home.start()
        await home.until_recorded("ClientFailed")
        assert len(lamps.opened) == 5
        await home.until_recorded("ClientStarted")
        assert home.names_of() == ["ClientCreated", "ClientFailed", "ClientResumed", "ClientStarted"]
        assert home.events_of()[1] == ClientFailed(reason="nobody there")


async def test_who_is_refused_is_in_error_at_once() -> None:
    async def run(client: ClientSettings, line: ClientLine) -> None:
        raise RefusedError("bad password")

    lamps = Lamps()
    lamps.run = run
    async with house(lamps, pace=QUICK._replace(retry_most=60)) as home:
        home.start()
        await home.until_recorded("ClientFailed")
        assert home.events_of()[-1] == ClientFailed(reason="bad password")
        assert len(lamps.opened) == 1


async def test_who_does_not_start_in_time_counts_as_away() -> None:
    async def run(client: ClientSettings, line: ClientLine) -> None:
        await asyncio.Event().wait()

    lamps = Lamps()
    lamps.run = run
    async with house(lamps, pace=QUICK._replace(start_within=0.01)) as home:
        home.start()
        await home.until_recorded("ClientFailed")
        assert home.events_of()[-1] == ClientFailed(reason="the other side was not reached within 0.01 s")
        assert len(lamps.opened) == 5


async def test_a_connection_that_says_that_it_failed_goes_on_and_may_recover() -> None:
    async def run(client: ClientSettings, line: ClientLine) -> None:
        await line.failed("flaky")
        await line.failed("flaky again")
        await line.started()
        await asyncio.Event().wait()

    lamps = Lamps()
    lamps.run = run
    async with house(lamps) as home:
        home.start()
        await home.until_recorded("ClientStarted")
        assert home.names_of() == ["ClientCreated", "ClientFailed", "ClientResumed", "ClientStarted"]


async def test_making_the_same_thing_again_costs_nothing() -> None:
    async def run(client: ClientSettings, line: ClientLine) -> None:
        for _ in range(3):
            assert await line.make_thing("one", LAMP) == ONE
        await line.set_status("one", "AVAILABLE")
        before = len(home.log.appends)
        await line.make_thing("one", LAMP)
        assert len(home.log.appends) == before
        await line.started()
        await asyncio.Event().wait()

    lamps = Lamps()
    lamps.run = run
    async with house(lamps) as home:
        home.start()
        await home.until_recorded("ClientStarted")
        assert home.names_of(ONES_STREAM) == ["ThingMade"]


async def test_updates_of_many_things_are_recorded_together_and_those_of_removed_ones_left_out() -> None:
    names = [f"lamp-{number}" for number in range(20)]

    async def run(client: ClientSettings, line: ClientLine) -> None:
        await asyncio.gather(*(line.make_thing(name, LAMP) for name in names))
        await home.do(RemoveThing(thing_id=thing_named(names[0])))
        before = len(home.log.appends)
        await asyncio.gather(*(line.update(name, (value("level", "7"), value("no such", "1"))) for name in names))
        assert len(home.log.appends) == before + 1
        updated = [event.event for event in home.log.appends[-1] if isinstance(event.event, PropertiesUpdated)]
        assert updated == [
            PropertiesUpdated(thing_id=thing_named(name), values=(value("level", "7"),)) for name in names[1:]
        ]
        await line.started()
        await asyncio.Event().wait()

    lamps = Lamps()
    lamps.run = run
    async with house(lamps) as home:
        home.start()
        await home.until_recorded("ClientStarted")


async def test_while_the_log_is_away_connections_wait_for_it() -> None:
    going = asyncio.Event()

    async def run(client: ClientSettings, line: ClientLine) -> None:
        home.log.away = True
        making = asyncio.ensure_future(line.make_thing("one", LAMP))
        await going.wait()
        assert not making.done()
        home.log.away = False
        await making
        await line.started()
        await asyncio.Event().wait()

    lamps = Lamps()
    lamps.run = run
    async with house(lamps) as home:
        home.start()
        await home.until(lambda: home.log.away)
        going.set()
        await home.until_recorded("ClientStarted")
        assert len(lamps.opened) == 1


# Actions and removal


def asked(action_id: str) -> AskedOfThing:
    return AskedOfThing(device_named("request"), ONE, "one", "lamp", action_id, {})


async def test_an_action_reaches_the_connection_that_runs() -> None:
    async with house(Lamps()) as home:
        with pytest.raises(OutageError):
            await home.runtime.act(CLIENT_ID, asked("setOn"))
        home.start()
        await home.until_recorded("ClientStarted")
        assert (await home.runtime.act(CLIENT_ID, asked("setOn"))).reason == "setOn is not done"
        with pytest.raises(OutageError):
            await home.runtime.act(CLIENT_ID, asked("away"))


async def test_a_client_whose_things_stay_is_not_removed_and_goes_on() -> None:
    lamps = Lamps()
    lamps.run = makes_one
    lamps.remove = lambda: ThingStaysError("it stays")
    async with house(lamps) as home:
        home.start()
        await home.until_recorded("ClientStarted")
        with pytest.raises(ThingStaysError):
            await home.runtime.remove(CLIENT_ID, ORIGIN)
        assert home.names_of()[-1] == "ClientRemovalRefused"
        assert lamps.at_work == 1
        lamps.remove = lambda: OutageError("whatever the other side says")
        assert await home.runtime.remove(CLIENT_ID, ORIGIN) == len(home.log.recorded)
        assert await home.client() is None
        assert home.names_of(ONES_STREAM)[-1] == "ThingRemoved"
        assert lamps.at_work == 0
        with pytest.raises(ClientNotFoundError):
            await home.runtime.remove(CLIENT_ID, ORIGIN)


async def test_a_client_that_is_not_running_is_asked_too_before_it_is_removed() -> None:
    lamps = AskingLamps()
    lamps.remove = lambda: ThingStaysError("it stays")
    async with house(lamps, awaits="user") as home:
        with pytest.raises(ThingStaysError):
            await home.runtime.remove(CLIENT_ID, ORIGIN)
        assert len(lamps.opened) == 1


# The lease


async def test_of_two_processes_the_one_with_the_lease_runs_the_clients() -> None:
    lamps = Lamps()
    async with house(lamps) as home:
        standby = HeldLease()
        standby.held.clear()
        other: ConnectorRuntime = runtime_on(home.log, home.executor, lamps, standby)
        standing_by = asyncio.create_task(other.run())
        home.start()
        await home.until_recorded("ClientStarted")
        assert (home.runtime.running, other.running, lamps.at_work) == (1, 0, 1)
        home.lease.held.clear()
        home.lease.taken.set()
        await home.until(lambda: lamps.at_work == 0)
        standby.held.set()
        await home.until_recorded("ClientStarted", 2)
        assert (home.runtime.running, other.running, lamps.at_work) == (0, 1, 1)
        standing_by.cancel()
        await asyncio.gather(standing_by, return_exceptions=True)
        assert lamps.at_work == 0


# Those that await somebody


@pytest.mark.parametrize(
    ("taken", "then"),
    [
        (Taken(), ["ClientAdmitted", "ClientStarted"]),
        (RefusedError("no"), ["ClientFailed"]),
        (Taken("text", "please wait"), ["ClientRedirected"]),
    ],
)
async def test_a_service_that_was_not_asked_to_the_end_is_asked_again(
    taken: Taken | Exception, then: list[str]
) -> None:
    lamps = AskingLamps()
    lamps.taken = [OutageError("not now"), OutageError("not now"), taken]
    async with house(lamps, aged=old, awaits="service") as home:
        home.start()
        await home.until_recorded(then[-1])
        assert home.names_of() == ["ClientCreated", *then]
        assert lamps.asked == 3


async def test_a_service_that_does_not_answer_puts_its_client_in_error_until_it_does() -> None:
    lamps = AskingLamps()
    lamps.taken = [*(OutageError("not now") for _ in range(6)), Taken()]
    async with house(lamps, aged=old, awaits="service") as home:
        home.start()
        await home.until_recorded("ClientStarted")
        assert home.names_of() == ["ClientCreated", "ClientFailed", "ClientAdmitted", "ClientStarted"]


async def test_a_young_client_is_left_to_the_process_that_asks_for_it() -> None:
    lamps = AskingLamps()
    lamps.taken = [Taken()]
    async with house(lamps, awaits="service", pace=QUICK._replace(service_within=60)) as home:
        home.start()
        await home.do(creating_client(device_named("second"), subject="s2"))
        await home.until_recorded("ClientStarted", id=device_named("second"))
        assert lamps.asked == 0


async def test_a_user_who_does_not_agree_in_time_leaves_the_client_in_error() -> None:
    lamps = AskingLamps()
    lamps.taken = [Taken("redirect", "https://agree.example")]
    async with house(lamps, aged=old, awaits="service") as home:
        home.start()
        await home.until_recorded("ClientFailed")
        assert home.events_of()[1:] == [
            ClientRedirected(location="https://agree.example"),
            ClientFailed(reason="its user did not agree in time"),
        ]


@pytest.mark.parametrize(
    ("taken", "told"),
    [(Taken(), InstanceInstalled()), (RefusedError("no"), InstanceInstallationFailed(reason="no"))],
)
async def test_an_installation_that_was_not_finished_is_asked_for_again(
    taken: Taken | Exception, told: InstanceInstalled
) -> None:
    lamps = AskingLamps()
    lamps.installed = [OutageError("not now"), taken]
    async with house(lamps, aged=old) as home:
        home.start()
        await home.until(lambda: told in home.events_of(INSTANCE_ID))
