"""Somebody, and keys for everybody."""

from collections.abc import Iterator, Mapping
from typing import Final
from uuid import UUID

import psycopg

from adapters.eventstore.mapper import persons_of
from adapters.eventstore.persons import MAKE_KEYS
from domain.value import Value

PERSON: Final = UUID("5c9f2d0e-7b1a-4e63-9d8c-3a4b5c6d7e8f")
KEY: Final = b"a key of thirty-two bytes, a key"


class Everybodys(Mapping[UUID, bytes]):
    """The same key for whoever is asked for."""

    def __getitem__(self, person: UUID) -> bytes:
        return KEY

    def __iter__(self) -> Iterator[UUID]:
        return iter(())

    def __len__(self) -> int:
        return 0


KEYS: Final = Everybodys()


def keep_keys(connection: psycopg.Connection[tuple[object, ...]], *values: Value) -> None:
    """For those who have none yet and whom an event or a state tells of, so that it can be written with KEYS."""
    if persons := list(persons_of(values)):
        connection.execute(MAKE_KEYS, (persons, [KEY] * len(persons)))
