"""Devices that connect themselves: a server that stops says goodbye, and one that is killed leaves nobody behind."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from adapters.embedded.postgres import EmbeddedPostgres
from tests.installation import Installation
from tests.product import Program
from tests.servers import start_nats

pytestmark = pytest.mark.xdist_group("away")

PATIENCE = 60.0


@pytest.fixture
def installation(directory: Path, own_postgres: EmbeddedPostgres) -> Iterator[Installation]:
    with start_nats(directory / "nats") as broker:
        installed = Installation(directory, own_postgres, broker, connector_auth="open")
        with installed.running():
            yield installed


@pytest.fixture
def second(installation: Installation, directory: Path) -> Iterator[Installation]:
    """Another server of the same installation."""
    server = Installation(directory / "second", installation.postgres, installation.broker)
    ports = {name: value for name, value in server.environment.items() if name.endswith("_PORT")}
    server.environment = {**installation.environment, **ports}
    program = Program(["serve"], directory / "second.log", server.environment)
    server.programs = [program]
    program.start()
    try:
        program.wait_until(lambda: server.is_ready())
        yield server
    finally:
        program.kill()


def device(server: Installation, id: str) -> connect:
    url = f"{server.api.replace('http', 'ws')}/connect"
    return connect(url, additional_headers={"Device-Id": id}, compression=None)


async def connected(server: Installation) -> list[str]:
    async with httpx.AsyncClient(timeout=30) as client:
        devices: list[str] = (await client.get(f"{server.api}/status")).json()["devices"]
        return devices


async def lists(server: Installation, *devices: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while await connected(server) != list(devices):
            await asyncio.sleep(0.1)


async def ask(server: Installation, id: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=30) as client:
        return await client.post(f"{server.api}/devices/command/{id}", json={"payload": "on"})


async def answers(connection: ClientConnection) -> None:
    question = json.loads(await connection.recv())
    await connection.send(json.dumps({"id": question["id"], "payload": "done"}))


async def test_a_server_that_stops_says_goodbye_to_its_devices(installation: Installation) -> None:
    serve, _ = installation.programs
    async with device(installation, "dev1") as one:
        assert await connected(installation) == ["dev1"]
        stopping = asyncio.create_task(asyncio.to_thread(serve.stop))
        with pytest.raises(ConnectionClosed) as closed:
            await one.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        await stopping
    serve.start()
    await asyncio.to_thread(serve.wait_until, installation.is_ready)
    assert await connected(installation) == []


async def test_the_devices_of_a_server_that_is_killed_are_not_listed_for_long(
    installation: Installation, second: Installation
) -> None:
    async with device(installation, "dev1") as one, device(second, "dev2") as two:
        await lists(second, "dev1", "dev2")
        answering = asyncio.create_task(answers(one))
        assert (await ask(second, "dev1")).json() == {"response": "done", "errors": ""}
        await answering

        installation.programs[0].kill()
        with pytest.raises(ConnectionClosed):
            await one.recv()
        # Before anybody has noticed: asking says what is so.
        assert (await ask(second, "dev1")).status_code == 404
        await lists(second, "dev2")
        answering = asyncio.create_task(answers(two))
        assert (await ask(second, "dev2")).status_code == 200
        await answering


async def test_the_living_outlast_an_outage_of_the_database(installation: Installation) -> None:
    async with device(installation, "dev1") as one:
        installation.postgres.kill()
        installation.postgres.start()
        async with asyncio.timeout(PATIENCE):
            while not installation.is_ready():
                await asyncio.sleep(0.1)
        assert await connected(installation) == ["dev1"]
        answering = asyncio.create_task(answers(one))
        assert (await ask(installation, "dev1")).status_code == 200
        await answering
