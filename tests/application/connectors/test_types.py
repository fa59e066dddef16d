"""Which types there are, and what they work with: settings with their secrets opened."""

from uuid import UUID

import pytest
from msgspec.structs import replace

from adapters.security.seals import Seals
from application.connectors.configuration import Configuration
from application.connectors.connector_type import ConnectorType, asks
from application.connectors.records import PublicationRecord, SealBrokenError
from application.connectors.types import ConnectorTypes
from tests.application.connectors.facts import (
    CLIENT_ID,
    OWNER,
    creating_client,
    creating_instance,
    making,
    thing_named,
)
from tests.application.connectors.lamps import AskingLamps, Lamps
from tests.application.connectors.test_clients import publishing
from tests.application.logs import executor_on
from tests.facts import ORIGIN, device_named
from tests.fakes.connector_records import FakeConnectorRecords
from tests.fakes.event_log import FakeEventLog

SEALS = Seals("a key of the tests")


class Published(Lamps):
    def __init__(self, publication: PublicationRecord) -> None:
        super().__init__()
        self.publication = publication


def types_on(log: FakeEventLog, seals: Seals = SEALS) -> ConnectorTypes:
    built_in: list[ConnectorType] = [Lamps()]
    return ConnectorTypes(built_in, Published, FakeConnectorRecords(log), seals)


async def test_a_type_comes_with_us_or_is_published_or_is_none() -> None:
    log = FakeEventLog()
    publication: UUID = device_named("publication")
    async with executor_on(log).running() as executor:
        await executor.execute(publishing(publication, "giphy"), ORIGIN)
    types = types_on(log)
    assert type(await types.find("lamps")) is Lamps
    found = await types.find("giphy")
    assert isinstance(found, Published)
    assert found.publication.id == publication
    assert await types.find("no such") is None


def test_who_has_nobody_to_ask_asks_nobody() -> None:
    assert asks(Lamps()) is None
    assert asks(AskingLamps()) is not None


async def test_a_client_works_with_opened_secrets_its_own_things_and_its_instance() -> None:
    log = FakeEventLog()
    sealed = types_on(log).seal(Configuration({"host": "h"}, {"password": "hunter2"}))
    assert "hunter2" not in sealed
    async with executor_on(log).running() as executor:
        await executor.execute(replace(creating_instance(host="h"), sealed=sealed), ORIGIN)
        await executor.execute(creating_client(things=2), ORIGIN)
        await executor.execute(making("one"), ORIGIN)
    record = await FakeConnectorRecords(log).find_client(CLIENT_ID)
    assert record is not None
    settings = await types_on(log).client_settings(record)
    assert settings is not None
    assert (settings.id, settings.owner, settings.subject, settings.settings) == (CLIENT_ID, OWNER, "s1", {"things": 2})
    assert settings.instance.settings == {"host": "h", "password": "hunter2"}
    assert settings.things == {"one": thing_named("one")}
    with pytest.raises(SealBrokenError):
        await types_on(log, Seals("another key")).client_settings(record)


async def test_without_its_instance_there_is_nothing_to_work_with() -> None:
    log = FakeEventLog()
    async with executor_on(log).running() as executor:
        await executor.execute(creating_instance(), ORIGIN)
        await executor.execute(creating_client(), ORIGIN)
        record = await FakeConnectorRecords(log).find_client(CLIENT_ID)
        assert record is not None
        lonely = record._replace(instance_id=device_named("no such"))
        assert await types_on(log).client_settings(lonely) is None
