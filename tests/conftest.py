"""Real servers for the tests, and a fresh database for every test that asks for one.

Each worker of a parallel run has servers of its own, which start when the first test needs them (in about a
second), end with the worker, and die with it if it is killed. A test gets a copy of a migrated database.
"""

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres
from adapters.eventstore.schema import migrate
from tests.servers import start_nats, start_postgres

# A machine under load is slow, not wrong. `--hypothesis-profile=thorough` looks longer.
settings.register_profile("tidemark", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("tidemark"), max_examples=2_000)
settings.load_profile("tidemark")

# Whatever a script starts in the background ignores Ctrl-C, and so would all that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of tests with the same id a parallel run runs one, and does not say so."""
    if twice := [id for id, times in Counter(item.nodeid for item in items).items() if times > 1]:
        raise pytest.UsageError(f"these ids are those of several tests: {', '.join(twice)}")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """PostgreSQL of this worker. Shared: take a database from `database_url`, and never stop it."""
    with start_postgres(tmp_path_factory.mktemp("postgres")) as postgres:
        yield postgres


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNats]:
    """NATS of this worker, with JetStream (`url`) and MQTT (`mqtt_url`). Shared: name streams by `uuid4`."""
    with start_nats(tmp_path_factory.mktemp("nats")) as nats:
        yield nats


@pytest.fixture(scope="session")
def migrated_template(postgres_server: EmbeddedPostgres) -> str:
    """The name of a migrated database that nobody connects to, to be copied."""
    migrate(_create_database(postgres_server.url, "tidemark_template"))
    return "tidemark_template"


@pytest.fixture
def make_database(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[Callable[[], str]]:
    """Makes migrated databases, each a log with an identity of its own; they are dropped after the test."""
    with ExitStack() as cleanup:

        def make() -> str:
            url = _create_database(postgres_server.url, f"test_{uuid4().hex}", migrated_template)
            cleanup.callback(_drop_database, postgres_server.url, url)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("UPDATE log_identity SET id = gen_random_uuid()")
            return url

        yield make


@pytest.fixture
def database_url(make_database: Callable[[], str]) -> str:
    """The URL of a fresh, migrated database."""
    return make_database()


@pytest.fixture
def empty_database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a fresh database without any table."""
    url = _create_database(postgres_server.url, f"test_{uuid4().hex}")
    yield url
    _drop_database(postgres_server.url, url)


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A migrated PostgreSQL of the test's own, synced to disk, that may be killed and restarted."""
    with start_postgres(tmp_path / "postgres", settings={}) as postgres:
        migrate(postgres.url)
        yield postgres


def _create_database(server_url: str, name: str, template: str = "template1") -> str:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


def _drop_database(server_url: str, url: str) -> None:
    name = urlsplit(url).path.removeprefix("/")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
