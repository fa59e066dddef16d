"""Servers for one benchmark: real ones, synced to disk, in a directory that is gone afterwards."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.embedded.postgres import EmbeddedPostgres
from adapters.eventstore.schema import migrate


@contextmanager
def temporary_directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as directory:
        yield Path(directory)


@contextmanager
def migrated_postgres() -> Iterator[str]:
    """The URL of a new database with our schema, on a server with the settings of `tidemark up`."""
    with temporary_directory() as directory, EmbeddedPostgres(directory / "postgres") as postgres:
        migrate(postgres.url)
        yield postgres.url
