"""What a read model is: a stored name, a version, tables, and an `apply` that interprets events and rejects none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import sqlalchemy as sa
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from projections.batch import Batch


@dataclass(frozen=True)
class Target:
    """Where an apply writes: the serving tables, or a copy beside them that a rebuild fills."""

    connection: AsyncConnection[TupleRow]
    suffix: str = ""

    def name(self, table: sa.Table) -> str:
        """The table's name here, ready for SQL."""
        return f'"{table.name}{self.suffix}"'


class ReadModel(Protocol):
    """One instance serves one target; it may keep what it knows of the tables between batches."""

    name: ClassVar[str]
    """Stored, never changes."""

    version: ClassVar[int]
    """Raised when `apply` changes its mind: the model is then rebuilt."""

    tables: ClassVar[Sequence[sa.Table]]

    async def apply(self, batch: Batch, to: Target) -> None:
        """Brings the tables from before the batch to after it, inside the caller's transaction. Batches come in
        position order and complete, so that what does not concern the model is simply passed over."""
