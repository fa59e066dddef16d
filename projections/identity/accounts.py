"""Accounts: who exists, and who may no longer act."""

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from domain.event import Recorded
from domain.identity.user import UserDisabled, UserEnabled, UserForgotten, UserRegistered
from domain.person import pseudonym
from projections.batch import Batch
from projections.database import Database
from projections.readmodel import Target
from projections.versioned import Row, VersionedRows, rewrite, versioned_table

USERS = versioned_table(
    "users", sa.Column("username", sa.Text, nullable=False), sa.Column("disabled", sa.Boolean, nullable=False)
)


class AccountDirectory:
    """The read model `accounts`."""

    name: ClassVar[str] = "accounts"
    version: ClassVar[int] = 1
    tables: ClassVar[Sequence[sa.Table]] = (USERS,)

    def __init__(self) -> None:
        self._users = VersionedRows(USERS, _evolve)

    async def apply(self, batch: Batch, to: Target) -> None:
        await self._users.apply(batch.of(UserRegistered, UserDisabled, UserEnabled, UserForgotten), to)
        for recorded in batch.of(UserForgotten):
            if isinstance(recorded.event, UserForgotten):
                name = pseudonym(recorded.event.person)
                await rewrite(to, USERS, "id", recorded.aggregate_id, username=name)


def _evolve(row: Row | None, recorded: Recorded) -> Row | None:
    at = recorded.envelope.at
    match recorded.event:
        case UserRegistered(username=username):
            return {
                "id": recorded.aggregate_id,
                "username": username,
                "disabled": False,
                "created_at": at,
                "updated_at": at,
            }
        case UserDisabled() if row:
            return {**row, "disabled": True, "updated_at": at}
        case UserEnabled() if row:
            return {**row, "disabled": False, "updated_at": at}
        case UserForgotten() if row:
            return {**row, "disabled": True, "updated_at": at}
    return row


class Accounts:
    """Queries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def disabled(self) -> frozenset[UUID]:
        """The ids of all accounts that may not act now."""
        return frozenset(row[0] for row in await self._database.all(_DISABLED))

    async def names(self, ids: Collection[UUID]) -> Mapping[UUID, str]:
        """The usernames of those that there are."""
        return dict(await self._database.all(_NAMES, ids=list(ids))) if ids else {}


_NAMES = sa.select(USERS.c.id, USERS.c.username).where(
    USERS.c.id == sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid))), USERS.c.valid_to.is_(None)
)
_DISABLED = sa.select(USERS.c.id).where(USERS.c.disabled, USERS.c.valid_to.is_(None))
