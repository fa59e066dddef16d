"""Two workers and clients of the simulator. The worker that runs them is killed, and the other goes on with the same
things; nothing is made twice."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres
from application.connectors.client import CreateClient
from application.connectors.instance import CreateInstance
from application.executor import CommandExecutor
from domain.connectors.client import CLIENT, ClientResumed, ClientStarted, ClientThingGained
from domain.connectors.properties import PropertiesUpdated
from domain.connectors.thing import ThingMade, ThingStatusChanged
from entrypoints.composition import write_path
from tests.facts import ORIGIN
from tests.installation import Installation
from tests.product import Program
from tests.waiting import eventually

CLIENTS, THINGS = 25, 4
LONG = 60.0
RUNS = "running the clients of connectors"

pytestmark = pytest.mark.timeout(300)


class Workers(NamedTuple):
    postgres: EmbeddedPostgres
    one: Program
    other: Program

    @property
    def database_url(self) -> str:
        return self.postgres.url

    def counted(self) -> Counter[str]:
        with psycopg.connect(self.database_url) as connection:
            return Counter(dict(connection.execute("SELECT topic, count(*) FROM events GROUP BY topic").fetchall()))

    def states(self) -> list[tuple[str, int]]:
        """As the read models have them: how many clients are in which status."""
        query = "SELECT status, count(*) FROM connector_clients WHERE valid_to IS NULL GROUP BY status"
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query).fetchall()

    def things(self) -> set[tuple[UUID, UUID, str]]:
        query = "SELECT client_id, id, connector_thing_id FROM things WHERE valid_to IS NULL"
        with psycopg.connect(self.database_url) as connection:
            return set(connection.execute(query).fetchall())

    def all_started(self) -> bool:
        return self.states() == [("STARTED", CLIENTS)]


@pytest.fixture
def workers(directory: Path) -> Iterator[Workers]:
    """Only the first runs yet."""
    with ExitStack() as stack:
        postgres = stack.enter_context(EmbeddedPostgres(directory / "postgres"))
        broker = stack.enter_context(EmbeddedNats(directory / "nats"))
        installation = Installation(directory, postgres, broker)
        with installation.running():
            one = installation.programs[1]
            other = Program(["worker"], directory / "other.log", installation.environment)
            stack.callback(other.kill)
            yield Workers(postgres, one, other)


@pytest.fixture
async def executor(workers: Workers) -> AsyncIterator[CommandExecutor]:
    """Of a further process."""
    async with write_path(workers.database_url) as (executor, _):
        yield executor


def is_run_by(program: Program, times: int = 1) -> bool:
    return program.log(10_000).count(RUNS) == times


async def test_killed_replaced_and_stopped_the_clients_go_on_with_the_same_things(
    workers: Workers, executor: CommandExecutor
) -> None:
    clients = await create(executor)
    eventually(workers.all_started, seconds=LONG)
    things = workers.things()
    assert len(things) == CLIENTS * THINGS
    workers.other.start()
    eventually(lambda: "working: " in workers.other.log(), seconds=LONG)
    assert not is_run_by(workers.other, 1)

    workers.one.kill()
    eventually(lambda: is_run_by(workers.other), seconds=LONG)
    eventually(lambda: workers.counted()[ClientStarted.topic] == 2 * CLIENTS, seconds=LONG)
    await measures(workers)
    eventually(workers.all_started, seconds=LONG)

    workers.one.start()
    eventually(lambda: workers.one.log(10_000).count("working: ") == 2, seconds=LONG)
    workers.other.stop()
    eventually(lambda: is_run_by(workers.one, 2), seconds=LONG)
    eventually(lambda: workers.counted()[ClientStarted.topic] == 3 * CLIENTS, seconds=LONG)
    await measures(workers)
    eventually(workers.all_started, seconds=LONG)

    assert workers.things() == things
    counted = workers.counted()
    assert counted[ThingMade.topic] == counted[ClientThingGained.topic] == CLIENTS * THINGS
    assert counted[ClientResumed.topic] == 2 * CLIENTS
    for id in clients:
        client = await executor.find(CLIENT, id)
        assert client is not None
        assert set(client.things) == {thing for of, thing, _ in things if of == id}


async def test_while_the_database_is_away_the_clients_wait_for_it(workers: Workers, executor: CommandExecutor) -> None:
    await create(executor)
    eventually(workers.all_started, seconds=LONG)
    await measures(workers)
    workers.postgres.kill()
    workers.postgres.restart()
    await measures(workers)
    assert workers.all_started()
    counted = workers.counted()
    assert counted[ClientStarted.topic] == CLIENTS
    assert counted[ClientResumed.topic] == 0
    assert counted[ThingStatusChanged.topic] == 0


async def create(executor: CommandExecutor) -> list[UUID]:
    settings = {"seed": 1, "tick_ms": 100}
    instance = CreateInstance(instance_id=uuid4(), owner="o1", type_id="simulator", configuration=settings)
    await executor.execute(instance, ORIGIN)
    clients = [
        CreateClient(
            client_id=uuid4(),
            owner="o1",
            subject=f"s{number}",
            type_id="simulator",
            configuration={"things": THINGS, "kind": "meter"},
        )
        for number in range(CLIENTS)
    ]
    for client in clients:
        await executor.execute(client, ORIGIN)
    return [client.client_id for client in clients]


async def measures(workers: Workers) -> None:
    """More than one tick of every thing."""
    before = workers.counted()[PropertiesUpdated.topic]
    eventually(lambda: workers.counted()[PropertiesUpdated.topic] > before + 2 * CLIENTS * THINGS, seconds=LONG)
