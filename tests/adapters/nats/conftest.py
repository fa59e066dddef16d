"""Real servers: one PostgreSQL for all tests, a database and a NATS server for each."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.eventstore.schema import migrate
from tests.adapters.nats.installation import Installation
from tests.servers import start_nats, start_postgres


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with start_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[EmbeddedNats]:
    with start_nats(tmp_path / "nats") as server:
        yield server


@pytest.fixture
def installation(postgres: EmbeddedPostgres, nats_server: EmbeddedNats) -> Iterator[Installation]:
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    url = f"{postgres.url.rpartition('/')[0]}/{name}"
    migrate(url)
    yield Installation(url, nats_server, postgres)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
