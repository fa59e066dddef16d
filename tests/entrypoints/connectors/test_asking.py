"""Types that have to ask somebody: what the API makes of the answers, and of none."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest

from adapters.security.seals import Seals
from adapters.security.tokens import Tokens
from application.connectors.configuration import Configuration
from application.connectors.connector_type import InstanceSettings, OutageError, RefusedError, Taken
from application.connectors.types import ConnectorTypes
from domain.connectors.client import CLIENT
from domain.connectors.instance import INSTANCE
from entrypoints.bearers import Bearers, LockedOut
from entrypoints.connectors.application import ConnectorsContract
from entrypoints.connectors.door import MANAGE, Door
from projections.positions import Freshness
from tests.application.connectors.lamps import AskingLamps
from tests.application.logs import executor_on
from tests.clock import clock
from tests.fakes.connector_records import FakeConnectorRecords
from tests.fakes.event_log import FakeEventLog

TOKENS = Tokens("a secret of the tests, long enough")
PAGE = "https://agree.example/o?x=1"
BODY = {"connector_type_id": "lamps", "configuration": {"host": "h", "password": "hunter2"}}


class SecretLamps(AskingLamps):
    """Hold what they were told of instances."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = [Taken()]
        self.dropped: list[InstanceSettings] = []

    def check_instance(self, given: Mapping[str, Any]) -> Configuration:
        return Configuration({"host": given["host"]}, {"password": given["password"]})

    async def drop_instance(self, instance: InstanceSettings) -> None:
        self.dropped.append(instance)


class NobodyDisabled:
    async def disabled(self) -> frozenset[Any]:
        return frozenset()


class AlwaysFresh:
    async def fresh(self, model: str) -> Freshness:
        return Freshness(7, 7, True)


class App:
    """The contract on a log in memory."""

    def __init__(self, log: FakeEventLog, executor: Any, lamps: SecretLamps) -> None:
        self.lamps = lamps
        self.log = log
        self.executor = executor
        self.seals = Seals("a key of the tests")
        headers = {
            "Authorization": f"Bearer {TOKENS.issue('app', uuid4(), scopes=(MANAGE,))}",
            "X-External-Subject-Id": "s1",
        }
        transport = httpx.ASGITransport(cast("Any", self._serve))
        self.http = httpx.AsyncClient(base_url="http://test/api/v1/connectors", headers=headers, transport=transport)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        records = FakeConnectorRecords(self.log)
        nothing = cast("Any", None)
        door = Door(
            executor=self.executor,
            bearers=Bearers(TOKENS, LockedOut(cast("Any", NobodyDisabled()))),
            positions=cast("Any", AlwaysFresh()),
            types=ConnectorTypes([self.lamps], nothing, records, self.seals),
            line=nothing,
            connectors=cast("Any", records),
            things=nothing,
            consent_codes=nothing,
            callback_tokens=nothing,
            public_url="",
        )
        await ConnectorsContract(door)(scope, receive, send)

    async def instance(self) -> httpx.Response:
        return await self.http.post("/instances", json=BODY)

    async def client(self) -> httpx.Response:
        return await self.http.post("/clients", json=BODY)

    @contextmanager
    def key_lost(self) -> Iterator[None]:
        kept, self.seals = self.seals, Seals("another key")
        yield
        self.seals = kept

    def names(self) -> list[str]:
        return [type(recorded.event).__name__ for recorded in self.log.recorded]


@pytest.fixture
async def app() -> AsyncIterator[App]:
    log = FakeEventLog()
    async with executor_on(log, clock=clock).running() as executor:
        yield App(log, executor, SecretLamps())


async def test_an_instance_that_its_service_takes_is_installed(app: App) -> None:
    answer = await app.instance()
    assert answer.status_code == 201
    instance = await app.executor.find(INSTANCE, UUID(answer.json()["id"]))
    assert (instance.installation, instance.configuration) == ("complete", {"host": "h"})
    assert "hunter2" not in repr(app.log.recorded)


async def test_of_an_instance_that_its_service_refuses_nothing_is_kept(app: App) -> None:
    app.lamps.installed = [RefusedError("the key is wrong"), Taken()]
    answer = await app.instance()
    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_CONFIGURATION")
    assert app.names()[-2:] == ["InstanceRemoved", "PlaceLeft"]
    assert (await app.instance()).status_code == 201


async def test_an_instance_whose_service_is_away_is_there_and_the_answer_says_where_it_is_recorded(app: App) -> None:
    app.lamps.installed = [OutageError("away")]
    answer = await app.instance()
    assert answer.status_code == 201
    assert int(answer.headers["tidemark-position"]) == len(app.log.recorded)
    assert (await app.executor.find(INSTANCE, UUID(answer.json()["id"]))).installation == "asked"


async def test_the_service_is_told_when_an_instance_goes(app: App) -> None:
    id = (await app.instance()).json()["id"]
    assert (await app.http.delete(f"/instances/{id}")).status_code == 204
    [told] = app.lamps.dropped
    assert told.settings == {"host": "h", "password": "hunter2"}


async def test_an_instance_whose_secrets_cannot_be_opened_any_more_can_be_removed(app: App) -> None:
    id = (await app.instance()).json()["id"]
    with app.key_lost():
        answer = await app.client()
        assert (answer.status_code, answer.json()["error"]) == (500, "CONFIGURATION_UNREADABLE")
        assert "ClientCreated" not in app.names()
        assert (await app.http.delete(f"/instances/{id}")).status_code == 204
    assert app.lamps.dropped == []
    assert (await app.instance()).status_code == 201


@pytest.mark.parametrize(
    ("said", "status", "awaits", "state"),
    [
        (Taken(), 201, "worker", "STARTING"),
        (Taken("redirect", PAGE), 303, "user", "STARTING"),
        (Taken("text", "press the button"), 201, "user", "STARTING"),
        (RefusedError("no"), 201, "service", "ERROR"),
        (OutageError("away"), 201, "service", "STARTING"),
    ],
)
async def test_a_client_is_there_whatever_its_service_says(
    app: App, said: Taken | Exception, status: int, awaits: str, state: str
) -> None:
    await app.instance()
    app.lamps.taken = [said]
    answer = await app.client()
    id = answer.json()["id"]
    assert (answer.status_code, answer.json()) == (status, {"id": id, "client_id": id})
    assert answer.headers["location"] == (PAGE if status == 303 else f"http://test/api/v1/connectors/clients/{id}")
    client = await app.executor.find(CLIENT, UUID(id))
    assert (client.awaits, client.status) == (awaits, state)
    assert int(answer.headers["tidemark-position"]) == len(app.log.recorded)
