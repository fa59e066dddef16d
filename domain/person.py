"""Persons whose data is in the log, and how those are shown who were forgotten (docs/adr/0024).

A person is a random id that stands for nothing but a key. What tells who it is, is sealed with that key; when the key
is destroyed, it tells nothing any more, wherever a copy of it may be.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from uuid import UUID

import msgspec

from domain.value import Value

FORGOTTEN = "forgotten"

Fields = Mapping[str, msgspec.Raw]
"""Fields of an event or a state, each as its JSON."""

fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_person = msgspec.json.Decoder(UUID | None).decode


def person_of(value: Value) -> UUID | None:
    """Whom the personal fields of an event or a state tell of; None where they were recorded before persons had
    keys."""
    person: UUID | None = getattr(value, "person", None)
    return person


def pseudonym(person: UUID | None) -> str:
    """The name of somebody who was forgotten: the same wherever he was named, and of nobody else."""
    return FORGOTTEN if person is None else f"{FORGOTTEN}-{person.hex[:16]}"


def completed(kind: type[Value], data: bytes | msgspec.Raw, told: Fields) -> bytes:
    """The data of an event or a state with what was sealed of it. What is not told is left to its default, or has the
    name of somebody who was forgotten. What stands there in the clear was recorded before persons had keys."""
    fields = {**fields_of(data), **told}
    for name in _needed(kind):
        if name not in fields:
            person = _person(fields.get("person", b"null"))
            fields[name] = msgspec.Raw(_encode(pseudonym(person)))
    return _encode(fields)


@cache
def _needed(kind: type[Value]) -> Sequence[str]:
    return [field.name for field in msgspec.structs.fields(kind) if field.name in kind.personal and field.required]
