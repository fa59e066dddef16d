"""The simulator, its connection's word recorded on a log in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from adapters.connector_types import BUILT_IN, built_in
from adapters.connector_types.simulated import simulated
from adapters.connector_types.simulator import CONTROL, Simulator
from application.connectors.configuration import ConfigurationInvalidError
from application.connectors.connector_type import (
    AskedOfThing,
    ClientSettings,
    Connection,
    InstanceSettings,
    Taken,
    ThingStaysError,
    asks,
)
from application.connectors.recorded_line import RecordedLine
from application.connectors.recorder import Recorder
from domain.connectors.properties import PropertiesUpdated
from domain.identifiers import thing_stream_id
from tests.adapters.connector_types.surroundings import CODES, surroundings_for
from tests.application.connectors.facts import CLIENT_ID, INSTANCE_ID, creating_client, creating_instance, thing_named
from tests.application.logs import executor_on
from tests.clock import clock
from tests.facts import ORIGIN, device_named
from tests.fakes.event_log import FakeEventLog

SURROUNDINGS = surroundings_for("https://iot.example")
SIMULATOR = Simulator(SURROUNDINGS)
SECONDS = 10.0


def client(instance: dict[str, Any] | None = None, **settings: Any) -> ClientSettings:
    made_at = datetime.now(UTC) - timedelta(seconds=60)
    of = InstanceSettings(INSTANCE_ID, "owner-1", {"tick_ms": 50, **(instance or {})})
    return ClientSettings(CLIENT_ID, "owner-1", "s1", of, settings, {}, made_at)


class Run:
    def __init__(self, log: FakeEventLog, connection: Connection) -> None:
        self.log = log
        self.connection = connection

    def names_of(self, id: UUID = CLIENT_ID) -> list[str]:
        return [type(recorded.event).__name__ for recorded in self.log.recorded if recorded.aggregate_id == id]

    def values_of(self, name: str) -> list[dict[str, str]]:
        told = [recorded.event for recorded in self.log.recorded if isinstance(recorded.event, PropertiesUpdated)]
        return [{v.property_id: v.value for v in event.values} for event in told if event.thing_id == thing_named(name)]

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(SECONDS):
            while not holds():
                await asyncio.sleep(0.005)

    async def until_recorded(self, name: str, times: int = 1) -> None:
        await self.until(lambda: self.names_of().count(name) >= times)

    async def act(self, thing: str, action: str, **parameters: str) -> str | None:
        asked = AskedOfThing(device_named("request"), thing_named(thing), thing, "lamp", action, parameters)
        return (await self.connection.act(asked)).reason


@asynccontextmanager
async def running(settings: ClientSettings) -> AsyncIterator[Run]:
    log = FakeEventLog()
    async with executor_on(log, clock=clock).running() as executor:
        await executor.execute(creating_instance(), ORIGIN)
        await executor.execute(creating_client(), ORIGIN)
        line = RecordedLine(CLIENT_ID, (), Recorder(executor), "STARTING")
        connection = SIMULATOR.open(settings, line)
        task = asyncio.create_task(connection.run())
        try:
            yield Run(log, connection)
        finally:
            assert not task.done(), task
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def test_it_is_the_first_of_the_built_in_types_and_their_numbers_and_names_are_their_own() -> None:
    types = built_in(SURROUNDINGS)
    assert (types[0].description.number, types[0].description.type_id) == (1, "simulator")
    assert len({known.description.number for known in types}) == len(BUILT_IN)
    assert len({known.description.type_id for known in types}) == len(BUILT_IN)


@pytest.mark.parametrize("known", built_in(SURROUNDINGS), ids=lambda known: known.description.type_id)
def test_the_samples_of_every_built_in_type_are_complete_requests_that_it_takes(known: Any) -> None:
    description = known.description
    for sample in (description.sample_instance, description.sample_client):
        assert sample["connector_type_id"] == description.type_id
    instance = known.check_instance(description.sample_instance.get("configuration", {}))
    known.check_client(description.sample_client.get("configuration", {}), instance.open, "s1")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"tick_ms": 49}, "tick_ms"),
        ({"tick_ms": "1000"}, "tick_ms"),
        ({"seed": "x"}, "seed"),
        ({"consent": 1}, "consent"),
        ({"fail": "always"}, "fail"),
    ],
)
def test_a_wrong_instance_is_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationInvalidError, match=f"^{named}: "):
        SIMULATOR.check_instance(settings)


@pytest.mark.parametrize("settings", [{"things": 101}, {"things": -1}, {"things": 1.5}, {"kind": "toaster"}])
def test_a_wrong_client_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationInvalidError, match=f"^{next(iter(settings))}: "):
        SIMULATOR.check_client(settings, {}, "s1")


async def test_its_user_is_asked_only_where_consent_is_wanted() -> None:
    asking = asks(SIMULATOR)
    assert asking is not None
    assert await asking.take_client(client()) == Taken()
    taken = await asking.take_client(client({"consent": True}))
    assert taken.step == "redirect"
    base, _, code = taken.content.rpartition("/")
    assert base == "https://iot.example/api/v1/connectors/consent"
    assert CODES.client_of(code) == CLIENT_ID


@pytest.mark.parametrize("kind", ["lamp", "thermometer", "meter"])
def test_the_same_seed_thing_and_moment_give_the_same_values(kind: str) -> None:
    one, again = simulated(kind, 42, 1), simulated(kind, 42, 1)
    assert [one.values(second) for second in range(5)] == [again.values(second) for second in range(5)]
    if kind != "lamp":
        assert one.values(1) != simulated(kind, 43, 1).values(1)
        assert one.values(1) != simulated(kind, 42, 2).values(1)


def test_a_meter_never_runs_backwards() -> None:
    meter = simulated("meter", 42, 1)
    read = [float(meter.values(second)[0].value) for second in range(0, 2000, 7)]
    assert read == sorted(read)
    assert read[0] == 0


async def test_it_makes_its_things_starts_and_measures_with_every_tick() -> None:
    async with running(client(things=2, kind="thermometer")) as run:
        await run.until_recorded("ClientStarted")
        assert run.names_of() == ["ClientCreated", "ClientThingGained", "ClientThingGained", "ClientStarted"]
        await run.until(lambda: len(run.values_of("sim-1")) > 2 and len(run.values_of("sim-2")) > 2)
        assert run.names_of(thing_stream_id(thing_named(CONTROL))) == []


async def test_without_things_it_is_started_all_the_same() -> None:
    async with running(client(things=0)) as run:
        await run.until_recorded("ClientStarted")


async def test_a_lamp_does_what_it_is_asked() -> None:
    async with running(client({"tick_ms": 3_600_000})) as run:
        await run.until_recorded("ClientStarted")
        assert await run.act("sim-1", "setOn", on="true") is None
        assert await run.act("sim-1", "setLevel", value="12.5") is None
        assert run.values_of("sim-1")[-1] == {"on": "true", "level": "12.5"}
        for action, wrong in (("setOn", {"on": "yes"}), ("setOn", {}), ("setLevel", {"value": "101"})):
            assert await run.act("sim-1", action, **wrong)
        assert await run.act("sim-1", "setLevel", value="nan")
        assert await run.act("no such", "setOn", on="true")


async def test_told_to_fail_at_its_start_it_is_in_error_until_it_is_told_otherwise() -> None:
    async with running(client(fail="start")) as run:
        await run.until_recorded("ClientFailed")
        assert run.names_of() == ["ClientCreated", "ClientThingGained", "ClientFailed"]
        assert await run.act(CONTROL, "setFail", fail="sometimes")
        assert await run.act(CONTROL, "setFail", fail="none") is None
        await run.until_recorded("ClientStarted")
        assert run.values_of(CONTROL) == [{"fail": "start"}, {"fail": "none"}]


async def test_a_flaky_one_fails_and_recovers_in_a_fixed_rhythm() -> None:
    async with running(client({"fail": "flaky"})) as run:
        await run.until_recorded("ClientStarted", 3)
        states = [name for name in run.names_of() if name in ("ClientStarted", "ClientFailed")]
        assert states[:5] == ["ClientStarted", "ClientFailed"] * 2 + ["ClientStarted"]


async def test_told_to_keep_its_things_it_does_until_it_is_told_otherwise() -> None:
    async with running(client({"fail": "removal"})) as run:
        await run.until_recorded("ClientStarted")
        with pytest.raises(ThingStaysError):
            await run.connection.remove()
        assert await run.act(CONTROL, "setFail", fail="none") is None
        await run.connection.remove()


async def test_a_clients_own_failure_wins_over_its_instances() -> None:
    async with running(client({"fail": "removal"}, fail="none")) as run:
        await run.until_recorded("ClientStarted")
        await run.connection.remove()
