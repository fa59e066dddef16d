"""The keys of persons, and what is sealed with them (docs/adr/0024).

A key is made with the first event that tells of the person, and destroyed with the event that forgets it, in the same
transaction. The row stays, so that nobody makes the key again.
"""

import os
from collections.abc import Collection, Mapping
from typing import LiteralString
from uuid import UUID

import msgspec

from adapters.security.sealing import opened, sealed
from domain.person import Fields, fields_of, person_of
from domain.value import Value

Keys = Mapping[UUID, bytes]
"""By person, of those who have one and were not forgotten."""

NO_KEYS: Keys = {}

KEYS: LiteralString = "SELECT person, key FROM person_keys WHERE person = ANY(%s) AND key IS NOT NULL"
# Those that there are, and those that are made for the others; of whom another process makes one at the same time there
# is none. Not synced by itself: the append that follows is, and brings everything before it to disk.
MAKE_KEYS: LiteralString = """
    WITH unsynced AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
    wanted AS MATERIALIZED (
        SELECT person, new.key AS new, known.key AS known, known.person IS NULL AS missing
        FROM unsynced, unnest(%s::uuid[], %s::bytea[]) AS new(person, key)
        LEFT JOIN person_keys known USING (person)
    ),
    made AS (
        INSERT INTO person_keys (person, key) SELECT person, new FROM wanted WHERE missing
        ON CONFLICT (person) DO NOTHING RETURNING person, key
    )
    SELECT person, key FROM made UNION ALL SELECT person, known FROM wanted WHERE known IS NOT NULL
"""
# Also of who never had one, so that none is made afterwards.
DESTROY_KEYS: LiteralString = """
    INSERT INTO person_keys (person, forgotten_at) SELECT person, now() FROM unnest(%s::uuid[]) AS persons(person)
    ON CONFLICT (person) DO UPDATE SET key = NULL, forgotten_at = coalesce(person_keys.forgotten_at, now())
"""

_KEY_BYTES = 32

_encode = msgspec.json.Encoder().encode


class Parted(Value):
    """An event's data, or a state, in two parts: what may be read, and the rest, sealed. That is absent where it was
    recorded before persons had keys, and of who was forgotten in the meantime."""

    data: msgspec.Raw
    sealed: str | None = None


def new_keys(persons: Collection[UUID]) -> tuple[list[UUID], list[bytes]]:
    """In the order of the persons, so that two who make the same do not wait for each other."""
    return sorted(persons), [os.urandom(_KEY_BYTES) for _ in persons]


def parted(value: Value, keys: Keys, purpose: bytes) -> Parted:
    """What tells of nobody who has a key is left as it is."""
    person = person_of(value)
    if person is None:
        return Parted(data=msgspec.Raw(_encode(value)))
    fields = fields_of(_encode(value))
    told = {name: fields.pop(name) for name in value.personal if name in fields}
    key = keys.get(person)
    return Parted(
        data=msgspec.Raw(_encode(fields)), sealed=sealed(key, _encode(told), purpose) if key is not None else None
    )


def told(person: UUID | None, text: str | None, keys: Keys, purpose: bytes) -> Fields:
    """The fields that were sealed; none of them where there is no key, or where the seal is broken."""
    key = keys.get(person) if person is not None else None
    if key is None or text is None:
        return {}
    try:
        return fields_of(opened(key, text, purpose))
    except ValueError:
        return {}
