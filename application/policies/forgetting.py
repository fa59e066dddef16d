"""A person is forgotten: wherever he has an account, or an app serves him (docs/adr/0024)."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast
from uuid import UUID

from application.command import Receipt
from application.connectors.subject import ForgetSubject
from application.executor import CommandExecutor
from application.identity import ForgetUser
from application.ports import LogUnavailableError
from domain.connectors.subject import SUBJECT, Subject, SubjectNotFoundError, SubjectServedError
from domain.event import Origin
from domain.identifiers import subject_id
from domain.identity.user import User
from domain.person import pseudonym


class Served(NamedTuple):
    """The clients and things that an owner's subject has now; `ever` tells whether it had any before."""

    clients: Sequence[UUID]
    things: Sequence[UUID]
    ever: bool


class PersonRecords(Protocol):
    """The read models that name persons. All may raise LogUnavailableError."""

    async def caught_up(self) -> bool:
        """Waits until they are where the log is now; for as long as a reader waits."""

    async def served(self, owner: str, subject: str) -> Served: ...


class Forgotten(NamedTuple):
    """`shown_as` is his name from now on; `everywhere` tells whether all read models say so already, which they
    otherwise do shortly. `position` is that of the event, or 0 where it was done before."""

    shown_as: str
    position: int
    everywhere: bool


class Forgetting:
    def __init__(self, executor: CommandExecutor, records: PersonRecords) -> None:
        self._executor = executor
        self._records = records

    async def forget_user(self, username: str, origin: Origin) -> Forgotten:
        """Raises UserNotFoundError, and what the executor raises."""
        receipt = await self._executor.execute(ForgetUser(username=username), origin)
        return await self._forgotten(receipt, cast("User", receipt.state).person)

    async def forget_subject(self, owner: str, subject: str, origin: Origin) -> Forgotten:
        """Raises SubjectNotFoundError, SubjectServedError while there is anything for it, and what the executor
        raises."""
        if not await self._records.caught_up():
            raise LogUnavailableError("nobody knows yet what there is for the subject")
        served = await self._records.served(owner, subject)
        if served.clients or served.things:
            raise SubjectServedError(served.clients, served.things)
        if not served.ever and await self._executor.find(SUBJECT, subject_id(owner, subject)) is None:
            raise SubjectNotFoundError("There is no such subject.")
        receipt = await self._executor.execute(ForgetSubject(owner=owner, subject=subject), origin)
        return await self._forgotten(receipt, cast("Subject", receipt.state).person)

    async def _forgotten(self, receipt: Receipt, person: UUID | None) -> Forgotten:
        position = receipt.position if receipt.events else 0
        try:
            everywhere = await self._records.caught_up()
        except LogUnavailableError:  # it is done all the same
            everywhere = False
        return Forgotten(pseudonym(person), position, everywhere)
