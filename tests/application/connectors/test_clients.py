"""Instances and clients: who has a place, and what goes with whom, in one decision, whichever process takes it."""

import asyncio
from uuid import UUID

import pytest

from application.command import Command
from application.connectors.client import RemoveClient
from application.connectors.instance import CreateInstance, RemoveInstance
from application.connectors.publication import PublishConnector, WithdrawConnector
from application.executor import CommandExecutor
from domain.connectors.client import CLIENT, ClientExistsError, ClientNotFoundError
from domain.connectors.instance import (
    INSTANCE,
    InstanceExistsError,
    InstanceInUseError,
    InstanceNotFoundError,
    NoInstanceError,
)
from domain.connectors.publication import (
    FIRST_NUMBER,
    PUBLICATION,
    PublicationInUseError,
    PublicationNotFoundError,
    PublishedConnector,
    TypeTakenError,
)
from domain.connectors.thing import THING
from domain.devices.device import DEVICE
from domain.devices.sensor import SENSOR
from domain.identifiers import thing_sensor_id, thing_stream_id
from tests.application.connectors.facts import (
    CLIENT_ID,
    INSTANCE_ID,
    OWNER,
    creating_client,
    creating_instance,
    making,
    thing_named,
)
from tests.application.logs import LogUnderTest, assert_sound, running
from tests.facts import ORIGIN, device_named

OTHER = device_named("other")


async def refused(executor: CommandExecutor, command: Command, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        await executor.execute(command, ORIGIN)


async def test_an_owner_has_one_instance_of_a_type_and_another_one_after_it_was_removed(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(creating_instance(), ORIGIN)
        await refused(executor, creating_instance(OTHER), InstanceExistsError)
        await executor.execute(creating_instance(device_named("bobs"), "owner-2"), ORIGIN)
        await refused(executor, RemoveInstance(instance_id=INSTANCE_ID, owner="owner-2"), InstanceNotFoundError)
        await executor.execute(RemoveInstance(instance_id=INSTANCE_ID, owner=OWNER), ORIGIN)
        await refused(executor, RemoveInstance(instance_id=INSTANCE_ID, owner=OWNER), InstanceNotFoundError)
        await executor.execute(creating_instance(OTHER), ORIGIN)
        assert await executor.find(INSTANCE, OTHER) is not None


async def test_there_is_no_client_without_an_instance_of_its_owner(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(creating_instance(owner="owner-2"), ORIGIN)
        await refused(executor, creating_client(), NoInstanceError)
        assert await executor.find(CLIENT, CLIENT_ID) is None


async def test_a_subject_has_one_client_of_a_type_and_another_one_after_it_was_removed(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(creating_instance(), ORIGIN)
        await executor.execute(creating_client(), ORIGIN)
        await refused(executor, creating_client(OTHER), ClientExistsError)
        await executor.execute(creating_client(device_named("second"), subject="S1"), ORIGIN)
        await refused(executor, RemoveInstance(instance_id=INSTANCE_ID, owner=OWNER), InstanceInUseError)
        await executor.execute(RemoveClient(client_id=CLIENT_ID), ORIGIN)
        await refused(executor, RemoveClient(client_id=CLIENT_ID), ClientNotFoundError)
        await executor.execute(creating_client(OTHER), ORIGIN)
        client = await executor.find(CLIENT, OTHER)
        assert client is not None
        assert client.instance_id == INSTANCE_ID


async def test_of_two_identical_requests_in_two_processes_one_succeeds(log: LogUnderTest) -> None:
    async with running(log.connect(), log.connect()) as (one, other):
        await one.execute(creating_instance(), ORIGIN)
        ids = [device_named(str(number)) for number in range(6)]
        answers = await asyncio.gather(
            *(
                executor.execute(creating_client(id), ORIGIN)
                for id, executor in zip(ids, [one, other] * 3, strict=True)
            ),
            return_exceptions=True,
        )
        made = [answer for answer in answers if not isinstance(answer, BaseException)]
        assert len(made) == 1
        assert all(isinstance(answer, ClientExistsError) for answer in answers if answer not in made)
        instance = await other.find(INSTANCE, INSTANCE_ID)
        assert instance is not None
        assert instance.clients == 1
    assert_sound(await log.everything())


async def test_no_instance_goes_while_a_client_comes(log: LogUnderTest) -> None:
    async with running(log.connect(), log.connect()) as (one, other):
        await one.execute(creating_instance(), ORIGIN)
        removed, created = await asyncio.gather(
            one.execute(RemoveInstance(instance_id=INSTANCE_ID, owner=OWNER), ORIGIN),
            other.execute(creating_client(), ORIGIN),
            return_exceptions=True,
        )
        assert isinstance(removed, InstanceInUseError) != isinstance(created, NoInstanceError)


async def test_with_a_client_go_its_things_and_their_devices_and_nobody_elses(log: LogUnderTest) -> None:
    async with running(log.connect()) as (executor,):
        await executor.execute(creating_instance(), ORIGIN)
        await executor.execute(creating_client(), ORIGIN)
        await executor.execute(creating_client(OTHER, subject="s2"), ORIGIN)
        for name in ("one", "two"):
            await executor.execute(making(name), ORIGIN)
        await executor.execute(making("one", client=OTHER), ORIGIN)
        await executor.execute(RemoveClient(client_id=CLIENT_ID), ORIGIN)
        for name in ("one", "two"):
            id = thing_named(name)
            assert await executor.find(THING, thing_stream_id(id)) is None
            assert await executor.find(DEVICE, id) is None
            assert await executor.find(SENSOR, thing_sensor_id(id, "lamp", "level")) is None
        assert await executor.find(DEVICE, thing_named("one", OTHER)) is not None
        instance = await executor.find(INSTANCE, INSTANCE_ID)
        assert instance is not None
        assert instance.clients == 1


# Publications


def publishing(id: UUID, type_id: str = "lamps") -> PublishConnector:
    connector = PublishedConnector(
        type_id=type_id,
        name=type_id,
        description="",
        logo="",
        installation_url="http://127.0.0.1:1/installations",
        instance_url="http://127.0.0.1:1/instances",
        action_url="http://127.0.0.1:1/actions",
    )
    return PublishConnector(publication_id=id, owner=OWNER, connector=connector, public_key="k", sealed_key="s")


async def test_a_published_type_has_its_name_and_its_number_for_itself(log: LogUnderTest) -> None:
    one, two, three = (device_named(f"publication {number}") for number in range(3))
    async with running(log.connect()) as (executor,):
        await executor.execute(publishing(one), ORIGIN)
        await refused(executor, publishing(two), TypeTakenError)
        await refused(executor, WithdrawConnector(publication_id=one, owner="owner-2"), PublicationNotFoundError)
        await executor.execute(WithdrawConnector(publication_id=one, owner=OWNER), ORIGIN)
        await executor.execute(publishing(two), ORIGIN)
        await executor.execute(publishing(three, "others"), ORIGIN)
        numbers = [(known := await executor.find(PUBLICATION, id)) and known.number for id in (one, two, three)]
        assert numbers == [None, FIRST_NUMBER + 1, FIRST_NUMBER + 2]


async def test_a_published_type_stays_while_there_are_instances_of_it(log: LogUnderTest) -> None:
    publication = device_named("publication")
    creating = CreateInstance(
        instance_id=INSTANCE_ID, owner=OWNER, type_id="lamps", configuration={}, publication_id=publication
    )
    async with running(log.connect()) as (executor,):
        await refused(executor, creating, PublicationNotFoundError)
        await executor.execute(publishing(publication), ORIGIN)
        await executor.execute(creating, ORIGIN)
        withdrawing = WithdrawConnector(publication_id=publication, owner=OWNER)
        await refused(executor, withdrawing, PublicationInUseError)
        await executor.execute(RemoveInstance(instance_id=INSTANCE_ID, owner=OWNER), ORIGIN)
        await executor.execute(withdrawing, ORIGIN)
        assert await executor.find(PUBLICATION, publication) is None
