"""Things are devices too: announced, present, measured and removed like any other, in one decision."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

import pytest
from msgspec.structs import replace

from application.command import Command
from application.connectors.action import AskAction, CompleteAction
from application.connectors.thing import ChangeThingStatus, RemoveThing, UpdateProperty
from application.devices.device import RemoveDevice
from application.executor import CommandExecutor
from domain.connectors.action import ACTION, ActionSettledError
from domain.connectors.client import CLIENT, ClientNotFoundError
from domain.connectors.properties import PropertiesUpdated
from domain.connectors.thing import (
    THING,
    ActionNotFoundError,
    PropertyNotFoundError,
    ThingInvalidError,
    ThingMade,
    ThingNotFoundError,
)
from domain.devices.device import DEVICE, OFFLINE, OK
from domain.devices.readings import Reading, ReadingsRecorded
from domain.devices.sensor import SENSOR
from domain.event import Event
from domain.identifiers import thing_sensor_id, thing_stream_id
from tests.application.connectors.facts import (
    CLIENT_ID,
    LAMP,
    creating_client,
    creating_instance,
    entering,
    making,
    thing_named,
    updating,
    value,
)
from tests.application.logs import LogUnderTest, running
from tests.facts import ORIGIN, device_named

ONE = thing_named("one")
ENTERED = device_named("entered")
LEVEL, ON = thing_sensor_id(ONE, "lamp", "level"), thing_sensor_id(ONE, "lamp", "on")

E = TypeVar("E", bound=Event)


@asynccontextmanager
async def with_client(log: LogUnderTest) -> AsyncIterator[CommandExecutor]:
    async with running(log.connect()) as (executor,):
        await executor.execute(creating_instance(), ORIGIN)
        await executor.execute(creating_client(), ORIGIN)
        yield executor


async def events_of(executor: CommandExecutor, command: Command) -> Sequence[Event]:
    return (await executor.execute(command, ORIGIN)).events


def only(kind: type[E], events: Sequence[Event]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def measured(sensor_id: UUID, value: float) -> Reading:
    return Reading(sensor_id=sensor_id, value=value)


async def test_a_thing_is_made_with_its_device_its_sensors_and_what_they_measure(log: LogUnderTest) -> None:
    async with with_client(log) as executor:
        told = (value("on", "true"), value("level", "7.5"), value("mood", "x"))
        events = await events_of(executor, making("one", *told))
        device = await executor.find(DEVICE, ONE)
        client = await executor.find(CLIENT, CLIENT_ID)
        level = await executor.find(SENSOR, LEVEL)
    assert device is not None
    assert (device.name, device.status, device.roads) == ("Lamp", OK, ("connector",))
    assert set(device.sensors) == {LEVEL, ON}
    assert level is not None
    assert level.device_id == ONE
    assert client is not None
    assert client.things == (ONE,)
    (stored,) = only(PropertiesUpdated, events)
    assert stored.values == told
    (recorded,) = only(ReadingsRecorded, events)
    assert recorded.readings == (measured(ON, 1.0), measured(LEVEL, 7.5))


async def test_making_it_again_records_nothing_and_new_values_only_those(log: LogUnderTest) -> None:
    async with with_client(log) as executor:
        await executor.execute(making("one"), ORIGIN)
        assert await events_of(executor, making("one")) == ()
        again = await events_of(executor, making("one", value("level", "8"), value("no such", "1")))
    assert [type(event) for event in again] == [PropertiesUpdated, ReadingsRecorded]
    assert only(PropertiesUpdated, again)[0].values == (value("level", "8"),)


async def test_described_anew_its_sensors_come_and_go(log: LogUnderTest) -> None:
    async with with_client(log) as executor:
        await executor.execute(making("one"), ORIGIN)
        (lamp,) = LAMP.components
        dimmer = replace(LAMP, name="Dimmer", components=(replace(lamp, properties=lamp.properties[1:]),))
        await executor.execute(making("one", description=dimmer), ORIGIN)
        device = await executor.find(DEVICE, ONE)
        on = await executor.find(SENSOR, ON)
        assert device is not None
        assert (device.name, device.sensors) == ("Dimmer", (LEVEL,))
        assert on is not None
        assert on.retired
        assert await events_of(executor, updating(one=(value("on", "true"),))) == ()


async def test_its_status_is_the_devices_presence(log: LogUnderTest) -> None:
    async with with_client(log) as executor:
        await executor.execute(making("one", status="UNAVAILABLE"), ORIGIN)
        seen = []
        for status in ("AVAILABLE", "UNAVAILABLE", "AVAILABLE", "AVAILABLE", "UNKNOWN"):
            await executor.execute(ChangeThingStatus(thing_id=ONE, status=status), ORIGIN)
            device = await executor.find(DEVICE, ONE)
            assert device is not None
            seen.append((device.status, device.connected))
    assert seen == [(OK, True), (OFFLINE, False), (OK, True), (OK, True), (OK, True)]


async def test_values_that_are_no_numbers_are_properties_and_no_readings(log: LogUnderTest) -> None:
    texts = ("nan", "inf", "", "on", "1e999")
    async with with_client(log) as executor:
        await executor.execute(making("one"), ORIGIN)
        events = await events_of(executor, updating(one=tuple(value("level", text) for text in texts)))
    assert [told.value for told in only(PropertiesUpdated, events)[0].values] == list(texts)
    assert only(ReadingsRecorded, events) == []


async def test_updates_of_several_things_are_kept_but_for_what_is_not_there(log: LogUnderTest) -> None:
    async with with_client(log) as executor:
        for name in ("one", "two"):
            await executor.execute(making(name), ORIGIN)
        told = {name: (value("level", "1"),) for name in ("one", "two", "three")}
        events = await events_of(executor, updating(**told))
        assert [event.thing_id for event in only(PropertiesUpdated, events)] == [ONE, thing_named("two")]
        assert [event.device_id for event in only(ReadingsRecorded, events)] == [ONE, thing_named("two")]
        assert await events_of(executor, updating(three=(value("level", "1"),))) == ()


async def test_a_single_property_must_exist(log: LogUnderTest) -> None:
    async with with_client(log) as executor:
        await executor.execute(making("one"), ORIGIN)
        with pytest.raises(PropertyNotFoundError):
            await executor.execute(UpdateProperty(thing_id=ONE, value=value("no such", "1")), ORIGIN)
        with pytest.raises(ThingNotFoundError):
            await executor.execute(UpdateProperty(thing_id=ENTERED, value=value("level", "1")), ORIGIN)
        events = await events_of(executor, UpdateProperty(thing_id=ONE, value=value("level", "1")))
    assert only(ReadingsRecorded, events)[0].readings == (measured(LEVEL, 1.0),)


async def test_a_removed_thing_leaves_its_client_and_the_registry(log: LogUnderTest) -> None:
    async with with_client(log) as executor:
        await executor.execute(making("one"), ORIGIN)
        await executor.execute(RemoveThing(thing_id=ONE), ORIGIN)
        client = await executor.find(CLIENT, CLIENT_ID)
        assert client is not None
        assert client.things == ()
        assert await executor.find(DEVICE, ONE) is None
        with pytest.raises(ThingNotFoundError):
            await executor.execute(RemoveThing(thing_id=ONE), ORIGIN)
        made = await events_of(executor, making("one"))
        assert len(only(ThingMade, made)) == 1


async def test_a_thing_whose_device_a_person_removed_goes_on_and_can_be_removed(log: LogUnderTest) -> None:
    async with with_client(log) as executor:
        await executor.execute(making("one"), ORIGIN)
        await executor.execute(RemoveDevice(device_id=ONE), ORIGIN)
        events = await events_of(executor, updating(one=(value("level", "1"),)))
        assert [type(event) for event in events] == [PropertiesUpdated]
        await executor.execute(ChangeThingStatus(thing_id=ONE, status="UNAVAILABLE"), ORIGIN)
        assert await executor.find(DEVICE, ONE) is None
        await executor.execute(RemoveThing(thing_id=ONE), ORIGIN)
        assert await executor.find(THING, thing_stream_id(ONE)) is None


async def test_what_an_app_entered_belongs_to_no_client(log: LogUnderTest) -> None:
    async with with_client(log) as executor:
        await executor.execute(entering(ENTERED), ORIGIN)
        thing = await executor.find(THING, thing_stream_id(ENTERED))
        assert thing is not None
        assert (thing.id, thing.client_id, thing.connector_thing_id) == (ENTERED, None, str(ENTERED))
        assert await executor.find(DEVICE, ENTERED) is not None
        await executor.execute(RemoveThing(thing_id=ENTERED), ORIGIN)


async def test_of_a_wrong_description_and_of_a_client_that_is_gone_nothing_is_recorded(log: LogUnderTest) -> None:
    async with with_client(log) as executor:
        before = len(await log.everything())
        with pytest.raises(ThingInvalidError):
            await executor.execute(making("one", description=replace(LAMP, components=())), ORIGIN)
        with pytest.raises(ClientNotFoundError):
            await executor.execute(making("one", client=device_named("nobody")), ORIGIN)
        assert len(await log.everything()) == before


async def test_what_is_asked_of_a_thing_is_recorded_and_settled_once(log: LogUnderTest) -> None:
    request = device_named("request")

    def asking(action_id: str) -> AskAction:
        return AskAction(
            action_request_id=request, thing_id=ONE, component_id="lamp", action_id=action_id, parameters={"on": "true"}
        )

    async with with_client(log) as executor:
        with pytest.raises(ThingNotFoundError):
            await executor.execute(asking("setOn"), ORIGIN)
        await executor.execute(making("one"), ORIGIN)
        with pytest.raises(ActionNotFoundError):
            await executor.execute(asking("fly"), ORIGIN)
        await executor.execute(asking("setOn"), ORIGIN)
        await executor.execute(CompleteAction(action_request_id=request), ORIGIN)
        with pytest.raises(ActionSettledError):
            await executor.execute(CompleteAction(action_request_id=request), ORIGIN)
        action = await executor.find(ACTION, request)
        assert action is not None
        assert (action.status, action.client_id) == ("COMPLETED", CLIENT_ID)
