"""Real servers for tests, on free ports, in a directory of the caller's: they start in under a second."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from adapters.embedded.nats import EmbeddedNats
from adapters.embedded.postgres import EmbeddedPostgres
from tests import product

# Nobody pulls the plug in a test. A test about crashes says `settings={}`.
FAST: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off"}


@contextmanager
def start_postgres(directory: Path, settings: Mapping[str, str] = FAST) -> Iterator[EmbeddedPostgres]:
    """PostgreSQL with the database of `url`; its role may create further ones."""
    with EmbeddedPostgres(directory, settings=settings) as postgres:
        yield postgres


@contextmanager
def start_nats(directory: Path) -> Iterator[EmbeddedNats]:
    """NATS with JetStream (`url`) and MQTT 3.1.1 (`mqtt_url`)."""
    with EmbeddedNats(directory) as nats:
        yield nats


@contextmanager
def frozen(postgres: EmbeddedPostgres) -> Iterator[None]:
    """The postmaster and its backends."""
    assert postgres.pid is not None
    with product.frozen(postgres.pid):
        yield
