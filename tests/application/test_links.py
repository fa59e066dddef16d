"""Devices that connect themselves: whose link it is, which one counts, and what that says of a registered device."""

import asyncio
from collections import Counter
from uuid import UUID, uuid4

from application.command import Command
from application.devices.device import RegisterDevice, RemoveDevice, ReportPresence
from application.devices.link import CloseLink, OpenLink
from application.executor import CommandExecutor
from domain.devices.device import DEVICE, DeviceConnected, DeviceDisconnected, DeviceStatusChanged
from domain.devices.link import LINK, LinkClosed, LinkOpened
from domain.event import Event
from domain.identifiers import link_id
from tests.application.logs import LogUnderTest, assert_sound, running
from tests.facts import ORIGIN, announcing, device_named, sensor_of

BOILER = device_named("boiler")
REPLACED = "replaced by a newer connection"
THERE = DeviceConnected(through="websocket")


def opening(device: str, connection_id: UUID | None = None, holder: str = "a1") -> OpenLink:
    return OpenLink(
        device=device,
        connection_id=connection_id or uuid4(),
        holder=holder,
        through="websocket",
        name="Robot",
        type="",
        user_agent="curl",
        remote_address="192.0.2.1",
    )


def closing(opened: OpenLink, device_id: UUID | None = None) -> CloseLink:
    return CloseLink(
        device=opened.device,
        device_id=device_id,
        connection_id=opened.connection_id,
        through="websocket",
        reason="gone",
    )


def registering(external_id: str | None = None) -> RegisterDevice:
    return RegisterDevice(
        device_id=BOILER, name="boiler", description="", location="", status=1, external_id=external_id
    )


async def events_of(executor: CommandExecutor, command: Command) -> list[Event]:
    return list((await executor.execute(command, ORIGIN)).events)


def replaced(opened: OpenLink, device_id: UUID | None = None) -> LinkClosed:
    return LinkClosed(
        device=opened.device,
        connection_id=opened.connection_id,
        holder=opened.holder,
        reason=REPLACED,
        device_id=device_id,
    )


async def test_a_device_that_nobody_registered_has_a_link_and_nothing_else(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        link = opening("robot-1")
        (opened,) = await events_of(executor, link)
        assert await events_of(executor, link) == []
        (closed,) = await events_of(executor, closing(link))
        assert await events_of(executor, closing(link)) == []
    assert isinstance(opened, LinkOpened)
    assert isinstance(closed, LinkClosed)
    assert (opened.device, opened.connection_id, opened.device_id) == ("robot-1", link.connection_id, None)
    assert (closed.device, closed.connection_id, closed.holder, closed.reason) == (
        "robot-1",
        link.connection_id,
        "a1",
        "gone",
    )


async def test_a_registered_device_is_present_by_its_link_whether_it_calls_itself_by_one_id_or_the_other(
    log: LogUnderTest,
) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(registering("b-7"), ORIGIN)
        for name in ("b-7", str(BOILER), str(BOILER).upper()):
            link = opening(name)
            opened, present = await events_of(executor, link)
            assert isinstance(opened, LinkOpened)
            assert (opened.device, opened.device_id, present) == (name, BOILER, THERE)
            assert (await events_of(executor, closing(link, BOILER)))[1:] == [
                DeviceDisconnected(through="websocket", reason="gone"),
                DeviceStatusChanged(status=4, reason="presence"),
            ]
            await executor.execute(RemoveDevice(device_id=BOILER), ORIGIN)
            await executor.execute(registering("b-7"), ORIGIN)


async def test_the_id_of_something_else_is_a_name_like_any_other(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(announcing(BOILER), ORIGIN)
        for name in (str(sensor_of(BOILER)), BOILER.hex, f"{{{BOILER}}}", "b-7"):
            (opened,) = await events_of(executor, opening(name))
            assert isinstance(opened, LinkOpened)
            assert opened.device_id is None


async def test_the_newest_connection_of_a_device_counts_under_whichever_id_it_comes(log: LogUnderTest) -> None:
    async with running(log.connect(), log.connect()) as (here, there):
        await here.execute(registering("b-7"), ORIGIN)
        older, newer = opening("b-7", holder="a1"), opening(str(BOILER), holder="b2")
        await here.execute(older, ORIGIN)
        closed, opened = await events_of(there, newer)
        assert isinstance(opened, LinkOpened)
        assert closed == replaced(older, BOILER)
        assert await events_of(here, closing(older, BOILER)) == []
        device = await here.find(DEVICE, BOILER)
        assert device is not None
        assert device.roads == ("websocket",)
        link = await here.find(LINK, link_id("", BOILER))
        assert link is not None
        assert (link.connection_id, link.holder) == (newer.connection_id, "b2")


async def test_a_device_registered_while_it_was_connected_has_one_connection_when_it_comes_again(
    log: LogUnderTest,
) -> None:
    async with running(log.connect()) as (executor,):
        before = opening("b-7")
        await executor.execute(before, ORIGIN)
        await executor.execute(registering("b-7"), ORIGIN)
        closed, opened, present = await events_of(executor, opening("b-7"))
        assert isinstance(opened, LinkOpened)
        assert (opened.device_id, closed, present) == (BOILER, replaced(before), THERE)
        assert await events_of(executor, closing(before)) == []


async def test_a_link_outlives_the_registration_of_its_device(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(registering(), ORIGIN)
        link = opening(str(BOILER))
        await executor.execute(link, ORIGIN)
        await executor.execute(RemoveDevice(device_id=BOILER), ORIGIN)
        (closed,) = await events_of(executor, closing(link, BOILER))
        assert isinstance(closed, LinkClosed)
        assert closed.connection_id == link.connection_id


async def test_gone_by_its_link_a_device_that_is_present_over_mqtt_is_still_there(log: LogUnderTest) -> None:
    async with running(log.connect(), log.connect()) as (api, gateway):
        await gateway.execute(announcing(BOILER), ORIGIN)
        await gateway.execute(ReportPresence(device_id=BOILER, status=1, word="online", through="mqtt"), ORIGIN)
        link = opening(str(BOILER))
        assert (await events_of(api, link))[1:] == [THERE]
        assert (await events_of(api, closing(link, BOILER)))[1:] == [
            DeviceDisconnected(through="websocket", reason="gone")
        ]
        device = await gateway.find(DEVICE, BOILER)
        assert device is not None
        assert (device.roads, device.status) == (("mqtt",), 1)


async def test_of_connections_that_two_processes_take_at_once_one_is_left_and_each_other_was_closed_once(
    log: LogUnderTest,
) -> None:
    links = [opening(f"robot-{number % 5}", holder=f"h{number % 2}") for number in range(60)]
    async with running(log.connect(), log.connect()) as executors:
        await asyncio.gather(
            *(executors[number % 2].execute(link, ORIGIN) for number, link in enumerate(links)),
        )
        left = [await executors[0].find(LINK, link_id(f"robot-{number}", None)) for number in range(5)]
    everything = await log.everything()
    assert_sound(everything)
    closed = Counter(one.event.connection_id for one in everything if isinstance(one.event, LinkClosed))
    connected = {link.connection_id for link in left if link is not None}
    assert len(connected) == 5
    assert closed == Counter({link.connection_id for link in links} - connected)
