"""The end customers of owners: met with what is made for them, and forgotten."""

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid4

from msgspec import field

from application.command import Aggregates, Change, Command, Handler, change
from domain.connectors import subject
from domain.connectors.subject import SUBJECT
from domain.identifiers import subject_id


class ForgetSubject(Command):
    """Nobody can tell any more whom the clients and things were for. `person` is for who has no key yet."""

    owner: str
    subject: str
    person: UUID = field(default_factory=uuid4)


def forget_subject(command: ForgetSubject, aggregates: Aggregates) -> Sequence[Change]:
    id = subject_id(command.owner, command.subject)
    return [change(SUBJECT, id, subject.forget(aggregates.find(SUBJECT, id), command.owner, command.person))]


def met(aggregates: Aggregates, owner: str, name: str, person: UUID) -> tuple[UUID, Sequence[Change]]:
    """Whose key seals what is made for the subject, and its meeting, if this is the first; `person` is for who has no
    key."""
    id = subject_id(owner, name)
    known = aggregates.find(SUBJECT, id)
    if known is not None and not known.forgotten:
        return known.person, ()
    return person, [change(SUBJECT, id, subject.meet(known, owner, person))]


HANDLERS: Mapping[type[Command], Handler] = {ForgetSubject: forget_subject}
